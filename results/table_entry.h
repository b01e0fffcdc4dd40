#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "results/store.h"

namespace occam {

using Labels = std::vector<std::string>;
using Where = FieldValues;

// A one-class task: a data set, for Dataset::folder one of its sources, and the inlier class.
struct ClassTask {
  Dataset dataset{};
  std::int64_t inlier = 0;
  std::string source = {};
  auto operator<=>(const ClassTask&) const = default;
};
ClassTask task_of(const Trial& trial);

// One planned score of one trial, with or without its value.
struct TableEntry {
  const Trial* trial;
  EvaluationRequest request;
  // The trial's position in the sweep, the request's in the spec.
  std::pair<std::int64_t, std::size_t> order;
  std::optional<double> score;  // by the metric, in [0, 1]
  bool diverged = false, failed = false, collapsed = false;
  std::string build, data;
  // Texts of the fields that describe the trial, then of those that describe the request, in the
  // order of result_fields(). Entries of one trial have the same; equal texts are one string.
  const std::string* const* of_trial;
  const std::string* const* of_request;
  std::shared_ptr<const void> texts;  // holds both, for all entries

  // Of one of result_fields(); kNoValue where it does not apply.
  const std::string& value(std::string_view field) const { return value_at(place_of(field)); }
  // By the field's place there.
  const std::string& value_at(std::size_t place) const;
  static std::size_t place_of(std::string_view field);
  std::int64_t seed() const { return trial->seed; }
  ClassTask task() const { return task_of(*trial); }
};
using TableEntries = std::vector<const TableEntry*>;

// Of one split, in the order of the sweep's plan, whatever has been recorded so far and in which
// order. They point into the sweep.
std::vector<TableEntry> planned_entries(const SweepResults& sweep, Split split = Split::test,
                                        Metric metric = Metric::auroc);

// The name of its data set, and of images of the user's own which.
std::string dataset_of(const TableEntry& entry);

// The values of several fields.
Labels labels_of(const TableEntry& entry, const Labels& fields);

// Numbers entries by their values of several fields, equal ones alike, from 0 as they come.
class Grouping {
 public:
  explicit Grouping(const Labels& fields);
  std::size_t of(const TableEntry& entry);
  const std::vector<Labels>& labels() const { return labels_; }  // by number

 private:
  std::vector<std::size_t> places_;
  std::vector<const std::string*> key_;
  // Strings that are one have the same address; few others are equal.
  struct HashOfAddresses {
    std::size_t operator()(const std::vector<const std::string*>& key) const;
  };
  std::unordered_map<std::vector<const std::string*>, std::size_t, HashOfAddresses> by_address_;
  std::map<Labels, std::size_t> by_text_;
  std::vector<Labels> labels_;
};

// The distinct values of a field, numbers in their order, others in the plan's.
Labels values_of(std::string_view field, const TableEntries& entries);
bool contains(const Labels& fields, std::string_view field);

bool accepts(const Where& where, const TableEntry& entry);
// Throws UsageError, beginning with `what`, for a value that no planned trial has: a typing error
// would else be an empty table.
void check_where(const std::string& what, const Where& where, const TableEntries& entries);

// A reference keeps to the table's conditions, except on fields that it names itself or that do not
// apply to its results.
bool belongs(const TableEntry& entry, const TableSpec::Reference& reference, const Where& where);

}  // namespace occam
