#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "results/table_cell.h"

namespace occam {

// AUROCs in print, with the trials that they are of.
class PublishedValues {
 public:
  // results/published.json, which is part of the program.
  static const PublishedValues& of_the_paper();
  // A file of the same form: {"runs", "datasets", "methods", "classifiers", "records"}, AUROC in
  // percent. `file` names it in messages. Throws UsageError.
  static PublishedValues parse(const std::string& text, const std::string& file);

  // What print says of a cell's training, classifier and tasks. None where the trial differs from
  // every method in print by more than its budget, or print lacks the tasks.
  //
  // The standard error of a mean over C classes is sqrt(sum of the squared per-class deviations /
  // n) / C on both sides, the interval Welch's. Where print has no per-class deviations theirs are
  // taken to be equal, which makes it too narrow; where it has none at all there is no interval.
  std::optional<AgainstPublished> counterpart(const TableEntries& cell, const Scores& scores,
                                              const std::optional<double>& mean) const;

  // A mean and deviation in print, as rates in [0, 1].
  struct Value {
    double mean;
    std::optional<double> deviation;
    std::string table;
  };
  // Of one method and classifier: of a task, of a data set's mean, and of the mean over all tasks.
  struct Column {
    std::string method;
    Classifier classifier;
    std::map<ClassTask, Value> tasks;
    std::map<Dataset, Value> datasets;
    std::optional<Value> all;
  };
  const std::vector<Column>& columns() const { return columns_; }
  std::size_t runs() const { return runs_; }
  // Records of data sets, methods or classifiers that this occam does not know.
  std::size_t unknown_records() const { return unknown_records_; }

 private:
  struct Method {
    std::string name;
    std::vector<Setting> settings;
  };
  // The method's trial on the given one's data, with the given one's budget or the method's own.
  const Method* method_of(const Trial& trial) const;
  static Trial trained_as(const Method& method, const Trial& trial, bool own_budget);
  const Column* column_of(const TableEntries& cell) const;
  std::string budget_text(const Method& method, const Trial& trial, bool& same) const;

  std::size_t runs_ = 0;
  std::size_t unknown_records_ = 0;
  std::vector<Method> methods_;
  std::vector<Column> columns_;
  std::set<ClassTask> tasks_;  // in print by class: all that the mean over all tasks is of
};

}  // namespace occam
