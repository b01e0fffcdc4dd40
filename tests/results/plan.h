#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "results/table.h"
#include "tests/results/sample.h"

namespace occam {

// Results as the store would give them, one call a planned score.
class Plan {
 public:
  Plan() { sweep_.name = "sweep"; }

  Plan& done(const Trial& of, const EvaluationRequest& request, double auroc,
             const std::string& build = "b1", const std::string& data = "d1") {
    sweep_.results.push_back({place(of), id_of(of), of, variant_, OutcomeStatus::completed, request,
                              evaluation(request, auroc), build, data});
    return asked(request);
  }
  Plan& collapsed(const Trial& of, const EvaluationRequest& request, double auroc) {
    done(of, request, auroc);
    sweep_.results.back().collapsed = "the loss stayed at log B";
    return *this;
  }
  // The score of a trial's validation rows.
  Plan& validated(const Trial& of, const EvaluationRequest& request, double auroc) {
    done(of, request, auroc);
    sweep_.results.back().request.split = Split::validation;
    return *this;
  }
  Plan& diverged(const Trial& of, const EvaluationRequest& request) {
    sweep_.results.push_back({place(of), id_of(of), of, variant_, OutcomeStatus::diverged, request,
                              std::nullopt, "b1", "d1"});
    return asked(request);
  }
  Plan& missing(const Trial& of, const EvaluationRequest& request, bool failed = false) {
    sweep_.missing.push_back({place(of), id_of(of), of, variant_, {request}, failed});
    return asked(request);
  }
  Plan& variant(const std::string& name) {
    variant_ = name;
    return *this;
  }
  Plan& table(const TableSpec& spec) {
    sweep_.tables.emplace_back("main", spec);
    return *this;
  }
  const SweepResults& sweep() const { return sweep_; }

 private:
  std::int64_t place(const Trial& of) {
    const auto known = std::find(ids_.begin(), ids_.end(), id_of(of));
    if (known == ids_.end()) ids_.push_back(id_of(of));
    return std::find(ids_.begin(), ids_.end(), id_of(of)) - ids_.begin();
  }
  Plan& asked(const EvaluationRequest& request) {
    auto& all = sweep_.requests;
    if (std::find(all.begin(), all.end(), request) == all.end()) all.push_back(request);
    return *this;
  }

  SweepResults sweep_;
  std::vector<std::string> ids_;
  std::string variant_;
};

inline TableOptions by(const std::vector<std::string>& rows,
                       const std::vector<std::string>& columns) {
  TableOptions options;
  options.spec.rows = rows;
  options.spec.columns = columns;
  return options;
}

inline const TableOptions kByBatchSize = by({"batch_size"}, {"classifier"});

}  // namespace occam
