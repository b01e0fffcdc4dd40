#include "results/seed_plan.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "results/table_entry.h"
#include "results/table_notes.h"

namespace occam {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kMostSeeds = 10'000;

void refuse_zipped_seeds(const Json& block) {
  if (!block.contains("zip")) return;
  for (const Json& group : block.at("zip"))
    if (group.contains("seed"))
      throw UsageError(
          "--seeds-until: the spec's zip moves seed with other fields, so its seeds cannot be "
          "changed alone; give seed to its grid");
}

void set_seeds(Json& block, const std::vector<std::int64_t>& seeds) {
  refuse_zipped_seeds(block);
  if (block.contains("trial")) block["trial"].erase("seed");
  block["grid"]["seed"] = seeds;
}

// What the images of the sweep's trials were, for more trials on the same.
FindSource known_sources(const SweepResults& sweep) {
  std::map<ClassTask, SourceImages> all;
  for (const Result& one : sweep.results) all.emplace(task_of(one.trial), one.trial.source);
  for (const Missing& one : sweep.missing) all.emplace(task_of(one.trial), one.trial.source);
  return [all = std::move(all)](const Trial& trial) {
    const auto known = all.find(task_of(trial));
    return known == all.end() ? trial.source : known->second;
  };
}

}  // namespace

std::string with_seeds(const std::string& spec, const std::vector<std::int64_t>& seeds) {
  Json json = Json::parse(spec, nullptr, true, true);
  if (json.contains("blocks")) {
    if (json.contains("trial")) json["trial"].erase("seed");
    for (Json& block : json["blocks"]) set_seeds(block, seeds);
  } else {
    set_seeds(json, seeds);
  }
  return json.dump(2) + "\n";
}

SeedPlan plan_seeds(const Table& table, const SweepResults& sweep, double half_width) {
  if (table.spec.baseline.empty())
    throw UsageError("--seeds-until: plans differences from a baseline; name it with --baseline");
  if (table.spec.claim.value_or(Claim::seeds) != Claim::seeds)
    throw UsageError("--seeds-until: more seeds serve the claim on new seeds; leave --claim out");
  SeedPlan plan;
  std::int64_t need = 0;
  for (std::size_t row = 0; row < table.rows.size(); ++row)
    for (std::size_t column = 0; column < table.columns.size(); ++column) {
      const auto& difference = table.cells[row][column].difference;
      if (!difference) continue;
      const std::string place = place_of(table.row_fields, table.rows[row]) + ", " +
                                place_of(table.column_fields, table.columns[column]);
      if (!difference->interval)
        throw UsageError("--seeds-until: the difference at " + place +
                         " has no deviation to plan by; it needs two seeds on both sides");
      const auto own = seeds_for_half_width(*difference->deviation, half_width, kMostSeeds);
      if (!own)
        throw UsageError(fmt::format(
            "--seeds-until: ± {:g} points would take more than {} seeds; so many bring the "
            "difference at {} to ± {:.2g}",
            100 * half_width, kMostSeeds, place,
            100 * half_width_of(*difference->deviation, kMostSeeds)));
      if (*own <= need) continue;
      need = *own;
      plan.widest = (difference->interval->high - difference->interval->low) / 2;
      plan.widest_place = place;
    }
  if (need == 0)
    throw UsageError("--seeds-until: no cell of the table has a difference from the baseline yet");
  if (sweep.text.empty())
    throw UsageError(
        "--seeds-until: the databases are of different specs, and a plan is of one; merge them "
        "first, or name one of them");
  std::set<std::int64_t> seeds;
  std::set<std::string> trials;
  for (const Result& one : sweep.results) {
    seeds.insert(one.trial.seed);
    trials.insert(one.trial_id);
  }
  for (const Missing& one : sweep.missing) {
    seeds.insert(one.trial.seed);
    trials.insert(one.trial_id);
  }
  plan.have = static_cast<std::int64_t>(seeds.size());
  plan.seeds.assign(seeds.begin(), seeds.end());
  while (static_cast<std::int64_t>(plan.seeds.size()) < need)
    plan.seeds.push_back(plan.seeds.back() + 1);
  plan.spec = with_seeds(sweep.text, plan.seeds);
  const Spec spec = parse_spec(plan.spec, "the planned spec");
  for (const PlannedTrial& planned : expand(spec, known_sources(sweep)).trials)
    plan.trials += trials.count(planned.id()) == 0;
  return plan;
}

}  // namespace occam
