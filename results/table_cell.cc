#include "results/table_cell.h"

#include <algorithm>
#include <set>
#include <stdexcept>

#include "results/result_field.h"

namespace occam {
namespace {

// What is known of one seed and task.
struct Score {
  double sum = 0;
  int count = 0;
  bool diverged = false, failed = false, collapsed = false;
};

// By seed, then task: the order of all sums, so that the bits depend on nothing else.
std::map<std::pair<std::int64_t, ClassTask>, Score> gathered(const TableEntries& entries,
                                                             bool pool) {
  std::map<std::pair<std::int64_t, ClassTask>, Score> scores;
  for (const TableEntry* entry : entries) {
    Score& score = scores[{entry->seed(), entry->task()}];
    // Pixels have the same score under every training, of which the plan's first is taken.
    const bool counts =
        entry->score && (score.count == 0 || (pool && entry->request.features != Features::pixels));
    if (counts) {
      score.sum += *entry->score;
      ++score.count;
      score.collapsed |= entry->collapsed;
    }
    score.diverged |= entry->diverged;
    score.failed |= entry->failed;
  }
  return scores;
}

std::vector<double> seed_means(const Scores& scores) {
  std::map<std::int64_t, std::vector<double>> by_seed;
  for (const auto& [key, score] : scores) by_seed[key.first].push_back(score);
  std::vector<double> means;
  for (const auto& [seed, values] : by_seed) means.push_back(mean_of(values));
  return means;
}

std::optional<double> mean_task_deviation(const Scores& scores) {
  std::map<ClassTask, std::vector<double>> by_task;
  for (const auto& [key, score] : scores) by_task[key.second].push_back(score);
  std::vector<double> deviations;
  for (const auto& [task, values] : by_task) {
    const auto deviation = sample_deviation(values);
    if (!deviation) return std::nullopt;
    deviations.push_back(*deviation);
  }
  if (deviations.empty()) return std::nullopt;
  return mean_of(deviations);
}

std::optional<Updates> updates_of(const TableEntries& entries) {
  std::optional<Updates> updates;
  for (const TableEntry* entry : entries) {
    if (!concerns("steps", entry->request.features)) continue;
    const std::int64_t own = budget(*entry->trial).steps;
    if (!updates) updates = Updates{own, own};
    updates->least = std::min(updates->least, own);
    updates->most = std::max(updates->most, own);
  }
  return updates;
}

// The distinct values of one member of the scores that are there.
std::string sources_of(const TableEntries& entries, std::string TableEntry::*source) {
  std::set<std::string> all;
  for (const TableEntry* entry : entries)
    if (entry->score) all.insert(entry->*source);
  return joined({all.begin(), all.end()}, " | ");
}

}  // namespace

std::optional<double> spread_of(const Cell& cell, Spread spread) {
  switch (spread) {
    case Spread::sd:
      return cell.deviation;
    case Spread::ci95:
      return cell.ci95;
    case Spread::paper:
      return cell.paper_deviation;
  }
  throw std::logic_error("unknown spread");
}

Scores scores_of(const TableEntries& entries, const CellOptions& options) {
  Scores scores;
  for (const auto& [key, score] : gathered(entries, options.pool))
    if (score.count > 0 && !(options.exclude_collapsed && score.collapsed))
      scores.emplace(key, score.sum / score.count);
  return scores;
}

Cell cell_of(const TableEntries& entries, const CellOptions& options) {
  Cell cell;
  std::set<ClassTask> expected_tasks, tasks;
  std::set<std::int64_t> expected_seeds, seeds;
  std::int64_t left_out = 0;
  for (const auto& [key, score] : gathered(entries, options.pool)) {
    cell.collapsed += score.collapsed;
    if (options.exclude_collapsed && score.collapsed) {
      ++left_out;
      continue;
    }
    expected_seeds.insert(key.first);
    expected_tasks.insert(key.second);
    ++cell.expected;
    if (score.count > 0) {
      seeds.insert(key.first);
      tasks.insert(key.second);
      ++cell.count;
    } else if (score.diverged) {
      ++cell.diverged;
    } else if (score.failed) {
      ++cell.failed;
    }
  }
  cell.applies = cell.expected + left_out > 0;
  cell.seeds = static_cast<std::int64_t>(seeds.size());
  cell.classes = static_cast<std::int64_t>(tasks.size());
  cell.expected_seeds = static_cast<std::int64_t>(expected_seeds.size());
  cell.expected_classes = static_cast<std::int64_t>(expected_tasks.size());
  cell.updates = updates_of(entries);
  cell.builds = sources_of(entries, &TableEntry::build);
  cell.data = sources_of(entries, &TableEntry::data);
  if (left_out > 0) {
    CellOptions all = options;
    all.exclude_collapsed = false;
    cell.mean_with_collapsed = cell_of(entries, all).mean;
  }
  if (cell.count == 0 || (cell.count < cell.expected && !options.partial)) return cell;

  const Scores scores = scores_of(entries, options);
  const std::vector<double> means = seed_means(scores);
  cell.mean = mean_of(means);
  cell.deviation = sample_deviation(means);
  cell.ci95 = half_width(means);
  cell.paper_deviation = mean_task_deviation(scores);
  return cell;
}

}  // namespace occam
