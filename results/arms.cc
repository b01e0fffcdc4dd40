#include "results/arms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "results/printed_cell.h"
#include "results/result_field.h"
#include "results/table_axis.h"
#include "results/table_cell.h"
#include "results/table_mix.h"

namespace occam {
namespace {

struct ArmScores {
  TableEntries entries;
  Scores scores;
};

ArmScores scores_of_arm(const std::vector<TableEntry>& planned, const Arm& arm,
                        const ArmsOptions& options) {
  ArmScores found;
  for (const TableEntry& entry : planned)
    if (accepts(options.where, entry) && accepts(arm.where, entry)) found.entries.push_back(&entry);
  if (found.entries.empty())
    throw UsageError("no trial of the sweep matches '" + arm.name + "' and all of --where");
  if (!options.pool) {
    const auto mix = mixed_field(found.entries, options.mean);
    if (mix)
      throw UsageError("'" + arm.name + "' would mix " + mix->field + " " + joined(mix->values) +
                       "; choose with --where " + mix->field + "=" + mix->values.front() +
                       (is_of_dataset(mix->field) ? ", or take all data sets with --mean" : ""));
  }
  CellOptions cell;
  cell.pool = options.pool;
  found.scores = scores_of(found.entries, cell);
  if (found.scores.empty())
    throw UsageError("'" + arm.name + "' has no scores yet; `occam status` shows what runs");
  return found;
}

// Fields that no arm names and in which two arms differ.
std::vector<std::string> differing_fields(const TableEntries& one, const TableEntries& other,
                                          const std::vector<Arm>& arms) {
  std::set<std::string> named{"class", "class_name", "seed", "variant"};
  for (const Arm& arm : arms)
    for (const auto& [field, values] : arm.where) named.insert(field);
  std::vector<std::string> fields;
  for (const std::string& field : result_fields()) {
    if (named.count(field) > 0) continue;
    const Labels a = values_of(field, one), b = values_of(field, other);
    // What has no say on one side follows from the arms.
    if (contains(a, kNoValue) || contains(b, kNoValue)) continue;
    if (a != b) fields.push_back(field + " (" + joined(a) + " against " + joined(b) + ")");
  }
  std::set<std::int64_t> updates, of_other;
  for (const TableEntry* entry : one) updates.insert(budget(*entry->trial).steps);
  for (const TableEntry* entry : other) of_other.insert(budget(*entry->trial).steps);
  if (updates != of_other)
    fields.push_back(fmt::format("updates ({} against {})", *updates.rbegin(), *of_other.rbegin()));
  return fields;
}

// Of the seeds and tasks that both have.
double mean_over_common(const Scores& one, const Scores& other) {
  Scores zero;
  for (const auto& [key, score] : other) zero.emplace(key, 0.0);
  return mean_of(paired_differences(one, zero, Claim::seeds).values);
}

// scores[task][arm], over the tasks that all arms have, each by the seeds that all arms have of it.
std::vector<std::vector<double>> by_task(const std::vector<ArmScores>& arms) {
  std::map<ClassTask, std::vector<std::vector<double>>> values;
  for (const auto& [key, first] : arms.front().scores) {
    if (!std::all_of(arms.begin(), arms.end(),
                     [&, &wanted = key](const ArmScores& arm) { return arm.scores.count(wanted); }))
      continue;
    auto& of_task = values[key.second];
    of_task.resize(arms.size());
    for (std::size_t i = 0; i < arms.size(); ++i) of_task[i].push_back(arms[i].scores.at(key));
  }
  std::vector<std::vector<double>> means;
  for (const auto& [task, of_arms] : values) {
    auto& row = means.emplace_back();
    for (const auto& one : of_arms) row.push_back(std::round(mean_of(one) * 1e12) / 1e12);
  }
  return means;
}

// Returns of how many p the family is.
std::size_t correct(std::vector<ArmsComparison::Pair>& pairs,
                    Comparison ArmsComparison::Pair::*claim) {
  std::vector<double> family;
  std::vector<Comparison*> tested;
  for (ArmsComparison::Pair& pair : pairs)
    if ((pair.*claim).p) {
      family.push_back(*(pair.*claim).p);
      tested.push_back(&(pair.*claim));
    }
  const std::vector<double> corrected = holm(family);
  for (std::size_t i = 0; i < tested.size(); ++i) tested[i]->corrected = corrected[i];
  return family.size();
}

std::string interval_text(const Comparison& found) {
  if (!found.interval) return "no interval";
  return "95 % interval [" + signed_points(found.interval->low) + ", " +
         signed_points(found.interval->high) + "]";
}

std::string p_text(const Comparison& found, std::size_t family) {
  std::string text = "p " + std::string(*found.p < 0.001 ? "" : "= ") + printed_p(*found.p);
  if (family > 1)
    text += ", " + printed_p(*found.corrected) + fmt::format(" after Holm over {}", family);
  return text;
}

std::string verdict(const Comparison& found, std::size_t family) {
  const double p = family > 1 ? *found.corrected : *found.p;
  if (p > 0.05) return "not significantly different from";
  return *found.estimate > 0 ? "significantly above" : "significantly below";
}

// With its sign where the sentence does not name the direction.
std::string points(const Comparison& found, std::size_t family) {
  const bool named = (family > 1 ? *found.corrected : *found.p) <= 0.05;
  return named ? fmt::format("{:.2f}", std::abs(100 * *found.estimate))
               : signed_points(*found.estimate);
}

std::string counted(std::int64_t count, const std::string& one, const std::string& many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string classes(const Comparison& found) { return counted(found.tasks, "class", "classes"); }

std::string seeds_sentence(const std::string& first, const ArmsComparison::Pair& pair,
                           Metric metric, std::size_t family) {
  const Comparison& found = pair.seeds;
  const std::string means = percent(pair.one) + " against " + percent(pair.other);
  const std::string lead = "These tasks, new seeds: ";
  if (!found.p)
    return lead + fmt::format("no claim, from {} of {}; {} less {} is {} {} points ({}).",
                              found.seeds == 1 ? "one seed" : "seeds without any deviation",
                              classes(found), first, pair.name, signed_points(*found.estimate),
                              printed_metric(metric), means);
  return lead + first + " is " + verdict(found, family) + " " + pair.name +
         fmt::format(
             ", by {} {} points ({}; {}; paired t over {} seeds of the mean over {}, "
             "t({}) = {:.2f}, {}).",
             points(found, family), printed_metric(metric), means, interval_text(found),
             found.seeds, classes(found), found.seeds - 1, found.statistic, p_text(found, family));
}

std::string tasks_sentence(const std::string& first, const ArmsComparison::Pair& pair,
                           std::size_t family) {
  const Comparison& found = pair.tasks;
  const std::string lead = "New tasks: ";
  std::string wins = fmt::format("better on {} of {}", pair.wins, classes(found));
  if (pair.ties > 0) wins += fmt::format(" and equal on {}", pair.ties);
  if (!found.p)
    return lead + fmt::format(
                      "no claim, since {} cannot give a p under {:.3g}; {} less {} is {} points in "
                      "the median (Hodges-Lehmann, {}), {}.",
                      classes(found), found.least_p, first, pair.name,
                      signed_points(*found.estimate), interval_text(found), wins);
  return lead + first + " is " + verdict(found, family) + " " + pair.name +
         fmt::format(
             ", by a median of {} points (Hodges-Lehmann, {}), {}; exact Wilcoxon signed ranks "
             "over {} of the mean over {}, W = {:g}, {}; sign flips p {}{}.",
             points(found, family), interval_text(found), wins, classes(found),
             counted(found.seeds, "seed", "seeds"), found.statistic, p_text(found, family),
             *pair.flips_p < 0.001 ? "" : "= ", printed_p(*pair.flips_p));
}

}  // namespace

ArmsComparison compare_arms(const SweepResults& sweep, const std::vector<Arm>& arms,
                            const ArmsOptions& options) {
  const std::vector<TableEntry> planned = planned_entries(sweep, Split::test, options.metric);
  TableEntries all;
  for (const TableEntry& entry : planned) all.push_back(&entry);
  check_where("--where", options.where, all);
  std::vector<ArmScores> found;
  TableEntries shown;
  for (const Arm& arm : arms) {
    check_where("'" + arm.name + "'", arm.where, all);
    found.push_back(scores_of_arm(planned, arm, options));
    shown.insert(shown.end(), found.back().entries.begin(), found.back().entries.end());
  }
  const std::string sources = mixed_source(shown);
  if (!sources.empty() && !options.pool)
    throw UsageError("the comparison would mix results of " + sources +
                     "; --pool takes them together");

  ArmsComparison comparison;
  comparison.metric = options.metric;
  comparison.first = arms.front().name;
  if (!sources.empty()) comparison.notes.push_back("pooled: results of " + sources);
  for (std::size_t i = 1; i < arms.size(); ++i) {
    if (found[i].entries == found[0].entries)
      throw UsageError("'" + arms[i].name + "' and '" + comparison.first +
                       "' are the same trials, so there is nothing to compare");
    ArmsComparison::Pair pair;
    pair.name = arms[i].name;
    pair.seeds = compare(found[0].scores, found[i].scores, Claim::seeds);
    pair.tasks = compare(found[0].scores, found[i].scores, Claim::tasks);
    if (!pair.seeds.mean)
      throw UsageError("'" + comparison.first + "' and '" + pair.name +
                       "' have no seed and class in common yet");
    pair.one = mean_over_common(found[0].scores, found[i].scores);
    pair.other = pair.one - *pair.seeds.mean;
    const auto tasks = paired_differences(found[0].scores, found[i].scores, Claim::tasks).values;
    for (const double difference : tasks) {
      pair.wins += is_better(options.metric, difference, 0);
      pair.ties += difference == 0;
    }
    pair.flips_p = sign_flips(tasks)->p;
    pair.also = differing_fields(found[0].entries, found[i].entries, arms);
    comparison.pairs.push_back(std::move(pair));
  }
  comparison.seeds_family = correct(comparison.pairs, &ArmsComparison::Pair::seeds);
  comparison.tasks_family = correct(comparison.pairs, &ArmsComparison::Pair::tasks);
  if (arms.size() > 2) comparison.friedman = friedman(by_task(found));
  if (less_is_better(options.metric))
    comparison.notes.push_back(printed_metric(options.metric) + ": less is better");
  for (std::size_t i = 0; i < arms.size(); ++i) {
    std::int64_t collapsed = 0, lacking = 0;
    for (const TableEntry* entry : found[i].entries) {
      collapsed += entry->collapsed;
      lacking += !entry->score;
    }
    if (collapsed > 0)
      comparison.notes.push_back(
          fmt::format("{}: {} collapsed, and counted", arms[i].name, collapsed));
    if (lacking > 0)
      comparison.notes.push_back(fmt::format("{}: {} of {} planned scores lack", arms[i].name,
                                             lacking, found[i].entries.size()));
  }
  return comparison;
}

std::string sentences(const ArmsComparison& comparison) {
  std::string text;
  for (const ArmsComparison::Pair& pair : comparison.pairs) {
    text += seeds_sentence(comparison.first, pair, comparison.metric, comparison.seeds_family) +
            "\n" + tasks_sentence(comparison.first, pair, comparison.tasks_family) + "\n";
    if (!pair.also.empty()) text += "They also differ in: " + joined(pair.also, "; ") + ".\n";
  }
  if (comparison.friedman) {
    std::vector<std::string> ranks;
    for (const double rank : comparison.friedman->mean_ranks)
      ranks.push_back(fmt::format("{:.2f}", rank));
    text += fmt::format(
        "All {} over {} classes: Friedman chi-square({}) = {:.2f}, p {}{}; mean ranks ({} is "
        "best) {}.\n",
        comparison.pairs.size() + 1, comparison.friedman->tasks, comparison.pairs.size(),
        comparison.friedman->statistic, comparison.friedman->p < 0.001 ? "" : "= ",
        printed_p(comparison.friedman->p), less_is_better(comparison.metric) ? "lowest" : "highest",
        joined(ranks));
  }
  for (const std::string& note : comparison.notes) text += note + "\n";
  return text;
}

std::string to_json_text(const ArmsComparison& comparison) {
  using nlohmann::ordered_json;
  const auto number = [](const std::optional<double>& value) {
    return value ? ordered_json(*value) : ordered_json();
  };
  const auto claim = [&](const Comparison& one) {
    ordered_json json{{"estimate", number(one.estimate)}, {"low", nullptr}, {"high", nullptr}};
    if (one.interval) {
      json["low"] = one.interval->low;
      json["high"] = one.interval->high;
    }
    json["statistic"] = one.statistic;
    json["p"] = number(one.p);
    json["p_holm"] = number(one.corrected);
    json["seeds"] = one.seeds;
    json["classes"] = one.tasks;
    return json;
  };
  ordered_json all{{"metric", to_string(comparison.metric)},
                   {"pairs", ordered_json::array()},
                   {"friedman", nullptr},
                   {"notes", comparison.notes}};
  for (const ArmsComparison::Pair& pair : comparison.pairs)
    all["pairs"].push_back({{"first", comparison.first},
                            {"other", pair.name},
                            {"first_mean", pair.one},
                            {"other_mean", pair.other},
                            {"new_seeds_paired_t", claim(pair.seeds)},
                            {"new_tasks_wilcoxon", claim(pair.tasks)},
                            {"new_tasks_sign_flips_p", number(pair.flips_p)},
                            {"classes_won", pair.wins},
                            {"classes_tied", pair.ties},
                            {"also_differ_in", pair.also}});
  if (const auto& test = comparison.friedman)
    all["friedman"] = {{"classes", test->tasks},
                       {"chi_square", test->statistic},
                       {"p", test->p},
                       {"mean_ranks", test->mean_ranks}};
  return all.dump(2) + "\n";
}

}  // namespace occam
