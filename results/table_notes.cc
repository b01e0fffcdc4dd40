#include "results/table_notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "results/printed_cell.h"
#include "results/result_field.h"

namespace occam {
namespace {

template <class Visitor>
void for_each_cell(const Table& table, Visitor&& visit) {
  for (std::size_t row = 0; row < table.cells.size(); ++row)
    for (std::size_t column = 0; column < table.cells[row].size(); ++column)
      visit(row, column, table.cells[row][column]);
}

std::string place_of_cell(const Table& table, std::size_t row, std::size_t column) {
  return place_of(is_reference(table, row) ? Labels{} : table.row_fields, table.rows[row]) + ", " +
         place_of(table.column_fields, table.columns[column]);
}

// Long lists name their first few.
std::string some_of(const std::vector<std::string>& places) {
  constexpr std::size_t most = 6;
  if (places.size() <= most) return joined(places, "; ");
  return joined({places.begin(), places.begin() + most}, "; ") +
         fmt::format("; and {} more", places.size() - most);
}

// Cells that are no mean over others, so that nothing is counted twice.
bool is_own(const Table& table, std::size_t row, std::size_t column) {
  return !table.row_is_mean[row] && !table.column_is_mean[column];
}

// Trials of which this holds, each once whatever its scores, and where the cells that count them
// are.
void note_per_arm(Table& table, const TableEntries& entries, bool TableEntry::*holds,
                  std::int64_t Cell::*count, const std::string& what) {
  std::vector<std::string> places;
  std::set<std::int64_t> trials;  // by their place in the sweep
  for (const TableEntry* entry : entries)
    if (entry->*holds) trials.insert(entry->order.first);
  for_each_cell(table, [&](std::size_t row, std::size_t column, const Cell& cell) {
    if (cell.*count == 0 || !is_own(table, row, column)) return;
    places.push_back(fmt::format("{} of {} at {}", cell.*count, cell.expected,
                                 place_of_cell(table, row, column)));
  });
  if (!places.empty())
    table.notes.push_back(fmt::format("{} {} ({})", trials.size(), what, some_of(places)));
}

}  // namespace

std::string place_of(const Labels& fields, const Labels& labels) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < labels.size(); ++i)
    parts.push_back(i < fields.size() ? fields[i] + "=" + in_words(fields[i], labels[i])
                                      : labels[i]);
  return joined(parts, ", ");
}

std::string what_numbers_are(Metric metric, Spread spread, bool span) {
  const std::string tasks = span ? "tasks (classes of all data sets)" : "classes";
  std::string text = printed_metric(metric) + " in %" +
                     (less_is_better(metric) ? " (less is better)" : "") + ": mean over the " +
                     tasks + " of each seed, then over seeds ± ";
  switch (spread) {
    case Spread::sd:
      text += "their sample deviation";
      break;
    case Spread::ci95:
      text += "half of their 95 % t interval";
      break;
    case Spread::paper:
      text += "the average over the " + std::string(span ? "tasks" : "classes") +
              " of each one's sample deviation over its seeds";
      break;
  }
  return text + (span ? " (seeds x tasks)" : " (seeds x classes)");
}

// What a table compares: trainings of equal length in epochs, or in updates.
void note_budget(Table& table, const TableEntries& entries) {
  const bool of_batch_size =
      contains(table.row_fields, "batch_size") || contains(table.column_fields, "batch_size");
  std::set<std::int64_t> batch_sizes, epochs, steps, updates;
  // Updates differ between data sets by their size; what counts is within one.
  std::map<std::pair<ClassTask, std::int64_t>, std::set<std::int64_t>> of_task;
  for (const TableEntry* entry : entries) {
    if (entry->value("batch_size") == kNoValue) continue;
    batch_sizes.insert(entry->trial->batch_size);
    if (entry->trial->steps > 0)
      steps.insert(entry->trial->steps);
    else
      epochs.insert(entry->trial->epochs);
    const std::int64_t count = budget(*entry->trial).steps;
    updates.insert(count);
    of_task[{entry->task(), entry->trial->train_limit}].insert(count);
  }
  const bool unequal = std::any_of(of_task.begin(), of_task.end(),
                                   [](const auto& one) { return one.second.size() > 1; });
  const bool over_batch_sizes = of_batch_size && batch_sizes.size() > 1;
  if (!over_batch_sizes && !unequal) return;
  const std::string range =
      unequal ? fmt::format(" (updates {} … {})", *updates.rbegin(), *updates.begin()) : "";
  if (epochs.empty() && steps.size() == 1)
    table.notes.push_back(fmt::format("held fixed: steps {}", *steps.begin()));
  else if (steps.empty() && epochs.size() == 1)
    table.notes.push_back(fmt::format("held fixed: epochs {}{}", *epochs.begin(), range));
  else if (over_batch_sizes)
    table.notes.push_back("neither epochs nor steps are the same over the batch sizes" + range);
  else
    table.notes.push_back("neither epochs nor steps are the same over the table" + range);
}

void note_subsets(Table& table, const TableEntries& entries) {
  std::set<std::int64_t> limits;
  for (const TableEntry* entry : entries)
    if (entry->request.parameters.test_limit > 0)
      limits.insert(entry->request.parameters.test_limit);
  std::vector<std::string> sizes;
  for (const std::int64_t limit : limits) sizes.push_back(std::to_string(limit));
  if (!sizes.empty())
    table.notes.push_back("scored on a subset of " + joined(sizes, " or ") + " test rows");
}

void note_unequal_seeds(Table& table) {
  std::map<std::int64_t, std::vector<std::string>> by_seeds;
  for_each_cell(table, [&](std::size_t row, std::size_t column, const Cell& cell) {
    if (cell.applies && is_own(table, row, column) && !is_reference(table, row))
      by_seeds[cell.expected_seeds].push_back(place_of_cell(table, row, column));
  });
  if (by_seeds.size() > 1) {
    std::vector<std::string> parts;
    for (const auto& [seeds, places] : by_seeds)
      parts.push_back(
          fmt::format("{} at {} {}", seeds, places.size(), places.size() == 1 ? "cell" : "cells"));
    const auto fewest = by_seeds.begin();
    table.notes.push_back("unequal seeds: " + joined(parts, ", ") +
                          " (fewest: " + some_of(fewest->second) + ")");
  } else if (by_seeds.size() == 1 && by_seeds.begin()->first == 1) {
    table.notes.emplace_back(kOneSeed);
  }
}

void note_gaps(Table& table, const TableEntries& entries, bool partial) {
  std::int64_t incomplete = 0, cells = 0, without_meaning = 0;
  std::vector<std::string> left_out;
  for_each_cell(table, [&](std::size_t row, std::size_t column, const Cell& cell) {
    ++cells;
    incomplete += cell.count < cell.expected;
    without_meaning += !cell.applies;
    if (cell.mean_with_collapsed)
      left_out.push_back(fmt::format(
          "{} at {}: {} without, {} with", cell.collapsed, place_of_cell(table, row, column),
          cell.mean ? percent(*cell.mean) : "…", percent(*cell.mean_with_collapsed)));
  });
  if (incomplete > 0)
    table.notes.push_back(fmt::format(
        "…: {} of {} cells lack planned scores{}", incomplete, cells,
        partial ? "; their means are of what there is" : ", so they have no mean (see --partial)"));
  note_per_arm(table, entries, &TableEntry::diverged, &Cell::diverged,
               "diverged: the loss left the real numbers, so there is no score");
  note_per_arm(table, entries, &TableEntry::failed, &Cell::failed, "failed: not missing at random");
  if (left_out.empty())
    note_per_arm(table, entries, &TableEntry::collapsed, &Cell::collapsed,
                 "collapsed, judged by training data alone, and in the means");
  else
    table.notes.push_back("collapsed, judged by training data alone, and left out: " +
                          some_of(left_out));
  if (without_meaning > 0)
    table.notes.push_back("–: has no meaning, or is not planned in this sweep");
}

void note_comparisons(Table& table) {
  if (table.spec.baseline.empty()) return;
  std::size_t family = 0, without_interval = 0, without_p = 0;
  double least = 1;
  std::vector<std::string> of_fewer;
  for_each_cell(table, [&](std::size_t row, std::size_t column, const Cell& cell) {
    if (!cell.difference || !cell.difference->mean) return;
    if (!cell.difference->whole)
      of_fewer.push_back(fmt::format("{}x{} at {}", cell.difference->seeds, cell.difference->tasks,
                                     place_of_cell(table, row, column)));
    family += cell.difference->p.has_value();
    without_interval += !cell.difference->interval;
    if (cell.difference->p || cell.difference->least_p <= 0.05) return;
    ++without_p;
    least = std::min(least, cell.difference->least_p);
  });
  std::vector<std::string> arm;
  for (const auto& [field, values] : table.spec.baseline)
    arm.push_back(field + "=" + values.front());
  const Claim claim = table.spec.claim.value_or(Claim::seeds);
  const bool tasks = claim == Claim::tasks;
  table.notes.push_back(
      "Δ: points above the baseline " + joined(arm, ", ") + " [95 % interval, uncorrected]" +
      (tasks ? ", the median over pairs of classes (Hodges-Lehmann)" : "") + "; " +
      description(claim) +
      (family > 1   ? fmt::format("; p after Holm over the {} differences in this table", family)
       : family > 0 ? "; the table's one p, so nothing to correct"
                    : ""));
  if (!of_fewer.empty())
    table.notes.push_back("Δ over the seeds and classes that a cell and its baseline both have: " +
                          some_of(of_fewer));
  if (without_interval > 0)
    table.notes.push_back(
        fmt::format("{} without an interval: {}", without_interval,
                    tasks ? "under six classes have none"
                          : "one seed, or differences without deviation, have none"));
  if (without_p > 0)
    table.notes.push_back(
        fmt::format("{} without p: so few classes cannot give less than {:.3g}", without_p, least));
  if (any_cell(table, [](const Cell& cell) { return cell.best; }))
    table.notes.push_back("marks of the best compare means alone: exploratory");
}

void note_published(Table& table) {
  std::map<std::string, std::int64_t> budgets;
  std::set<std::string> sources;
  std::vector<std::string> without;
  std::int64_t same = 0, found = 0;
  for_each_cell(table, [&](std::size_t row, std::size_t column, const Cell& cell) {
    if (!cell.applies) return;
    if (!cell.published) {
      without.push_back(place_of_cell(table, row, column));
      return;
    }
    ++found;
    ++budgets[cell.published->budget];
    same += cell.published->same_budget;
    sources.insert(cell.published->source);
  });
  if (found > 0) {
    std::vector<std::string> parts;
    for (const auto& [budget, count] : budgets)
      parts.push_back(budgets.size() == 1 ? budget : fmt::format("{} ({} cells)", budget, count));
    table.notes.push_back(fmt::format("print: {} and ours less theirs [95 % interval], from {}",
                                      "mean ± average deviation by class",
                                      joined({sources.begin(), sources.end()})));
    table.notes.push_back(
        "trained for " + joined(parts, "; ") +
        (same == found ? ", as in print" : ": not the same budget, so no reproduction"));
  }
  if (!without.empty())
    table.notes.push_back(
        fmt::format("{} without a counterpart in print: {}", without.size(), some_of(without)));
}

void note_choices(Table& table) {
  std::map<std::string, std::vector<std::string>> by_split;
  std::map<std::string, std::set<std::string>> different;
  for_each_cell(table, [&](std::size_t row, std::size_t column, const Cell& cell) {
    if (cell.chosen.empty() || !is_own(table, row, column)) return;
    by_split[cell.chosen_on].push_back(cell.chosen + " at " + place_of_cell(table, row, column));
    different[cell.chosen_on].insert(cell.chosen);
  });
  for (auto& [split, choices] : by_split)
    if (choices.size() > 1 && different[split].size() == 1)
      choices = {fmt::format("{} at {} cells", *different[split].begin(), choices.size())};
  for (const auto& [split, choices] : by_split)
    table.notes.push_back(
        split == "test"
            ? "†: chosen on test, or by a condition that keeps one value of several, so the number "
              "may be too good: " +
                  some_of(choices)
            : "chosen on validation (inliers held out of training, and outliers that are labelled "
              "train rows, so not strictly one-class): " +
                  some_of(choices));
}

}  // namespace occam
