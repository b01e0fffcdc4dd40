#include "results/table_entry.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "experiments/number.h"
#include "results/result_field.h"

namespace occam {
namespace {

// Makes entries; what many of them have in common is worked out and held once.
class TableEntryMaker {
 public:
  explicit TableEntryMaker(const std::vector<EvaluationRequest>& requests) {
    for (const EvaluationRequest& one : requests) number(one);
  }

  // Of a Result or a Missing.
  template <class Planned>
  TableEntry make(const Planned& planned, const EvaluationRequest& request) {
    const std::size_t at = number(request);
    TableEntry entry{&planned.trial,
                     request,
                     {planned.position, at},
                     {},
                     false,
                     false,
                     false,
                     "",
                     "",
                     of_trial_[planned.position],
                     of_request_[at]};
    if (!entry.of_trial)
      entry.of_trial = of_trial_[planned.position] =
          values(planned.trial, planned.variant, {Features::pool, request.classifier, {}}, false);
    if (!entry.of_request)
      entry.of_request = of_request_[at] = values(planned.trial, planned.variant, request, true);
    return entry;
  }

 private:
  std::size_t number(const EvaluationRequest& one) {
    const std::string name =
        to_string(one.features) + " " + to_string(one.classifier) + " " + parameters_text(one);
    return numbers_.emplace(name, numbers_.size()).first->second;
  }

  static std::shared_ptr<const Labels> values(const Trial& trial, const std::string& variant,
                                              const EvaluationRequest& request, bool of_request) {
    Labels values;
    for (const std::string& field : result_fields())
      if (is_of_request(field) == of_request)
        values.push_back(value_text(field, trial, variant, request));
    return std::make_shared<const Labels>(std::move(values));
  }

  std::map<std::string, std::size_t> numbers_;
  std::map<std::int64_t, std::shared_ptr<const Labels>> of_trial_;
  std::map<std::size_t, std::shared_ptr<const Labels>> of_request_;
};

bool accepts(const std::string& field, const std::vector<std::string>& values,
             const TableEntry& entry) {
  const std::string& value = entry.value(field);
  if (std::any_of(values.begin(), values.end(),
                  [&](const std::string& written) { return same_value(field, value, written); }))
    return true;
  // A class may be given by its name.
  return field == "class" && accepts("class_name", values, entry);
}

}  // namespace

const std::string& TableEntry::value(std::string_view field) const {
  static const std::string none(kNoValue);
  static const std::unordered_map<std::string_view, std::size_t> places = [] {
    std::unordered_map<std::string_view, std::size_t> all;
    for (const std::string& name : result_fields()) all.emplace(name, all.size());
    return all;
  }();
  const std::size_t at = places.at(field);
  if (at >= of_trial->size()) return of_request->at(at - of_trial->size());
  return concerns(field, request.features) ? (*of_trial)[at] : none;
}

std::vector<TableEntry> planned_entries(const SweepResults& sweep, Split split) {
  TableEntryMaker maker(sweep.requests);
  std::vector<TableEntry> entries;
  for (const Result& one : sweep.results) {
    if (one.request.split != split) continue;
    TableEntry& entry = entries.emplace_back(maker.make(one, one.request));
    if (one.evaluation) entry.auroc = one.evaluation->auroc;
    entry.diverged = one.status == OutcomeStatus::diverged;
    // A score that no training has a part in is as it is.
    entry.collapsed = !one.collapsed.empty() && concerns("steps", one.request.features);
    entry.build = one.build;
    entry.data = one.data;
  }
  for (const Missing& one : sweep.missing)
    for (const EvaluationRequest& request : one.evaluations)
      if (request.split == split)
        entries.emplace_back(maker.make(one, request)).failed = one.failed;
  std::sort(entries.begin(), entries.end(),
            [](const TableEntry& a, const TableEntry& b) { return a.order < b.order; });
  return entries;
}

Labels labels_of(const TableEntry& entry, const Labels& fields) {
  Labels labels;
  for (const std::string& field : fields) labels.push_back(entry.value(field));
  return labels;
}

Labels values_of(std::string_view field, const TableEntries& entries) {
  std::map<std::string, std::pair<std::int64_t, std::size_t>> first;
  for (const TableEntry* entry : entries) {
    // The order of requests is the spec's, not that of the trials which bring them.
    const auto order = is_of_request(field)
                           ? std::pair<std::int64_t, std::size_t>{0, entry->order.second}
                           : entry->order;
    const auto [known, is_new] = first.emplace(entry->value(field), order);
    if (!is_new) known->second = std::min(known->second, order);
  }
  std::vector<std::pair<std::pair<double, std::pair<std::int64_t, std::size_t>>, std::string>>
      sorted;
  for (const auto& [value, order] : first) {
    double number = 0;
    if (is_number(field) && !read_number(value, number)) number = INFINITY;
    sorted.push_back({{number, order}, value});
  }
  std::sort(sorted.begin(), sorted.end());
  Labels values;
  for (const auto& [order, value] : sorted) values.push_back(value);
  return values;
}

bool contains(const Labels& fields, std::string_view field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

bool accepts(const Where& where, const TableEntry& entry) {
  return std::all_of(where.begin(), where.end(), [&](const auto& condition) {
    return accepts(condition.first, condition.second, entry);
  });
}

void check_where(const std::string& what, const Where& where, const TableEntries& entries) {
  for (const auto& [field, values] : where) {
    check_result_field(field, what);
    for (const std::string& value : values) {
      const Where one{{field, {value}}};
      if (std::any_of(entries.begin(), entries.end(),
                      [&](const TableEntry* entry) { return accepts(one, *entry); }))
        continue;
      const Labels known = values_of(field, entries);
      throw UsageError(what + ": no trial of the sweep has " + field + "=" + value + "; " + field +
                       " is: " + joined(known) + did_you_mean(value, known));
    }
  }
}

bool belongs(const TableEntry& entry, const TableSpec::Reference& reference, const Where& where) {
  if (!accepts(reference.where, entry)) return false;
  return std::all_of(where.begin(), where.end(), [&](const auto& condition) {
    const bool own = std::any_of(reference.where.begin(), reference.where.end(),
                                 [&](const auto& one) { return one.first == condition.first; });
    return own || entry.value(condition.first) == kNoValue ||
           accepts(condition.first, condition.second, entry);
  });
}

}  // namespace occam
