#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/evaluation.h"
#include "experiments/figure_spec.h"
#include "experiments/table_spec.h"
#include "experiments/trial.h"

namespace occam {

// How many workers (GPUs, or a CPU's cores) train a trial together, "gpus" in a spec. It stands
// beside the trial's fields but is a resource: it changes no number, so it is no part of the id,
// and trials that differ in it alone are the same trial. `kAutoGpus` ("auto") is chosen when the
// sweep starts (orchestrator/gang_plan.h).
inline constexpr std::int32_t kAutoGpus = 0;

// One value of an axis: the fields that it sets together. Ablation variants carry their name.
struct AxisPoint {
  std::vector<Setting> settings;
  bool every_class = false;  // "class": "all", known once the data set is
  std::string variant;
  std::optional<std::int32_t> gpus = std::nullopt;
};
bool sets(const AxisPoint& point, std::string_view field);

// Points that multiply with the other axes; a zip group is an axis whose points set several fields.
using Axis = std::vector<AxisPoint>;

struct Exclusion {
  std::vector<std::vector<Setting>> fields;  // of every field one of the values must match
  std::string where;                         // "batch-size.json:7: exclude[0]"
};

// A product of axes over a base.
struct Block {
  std::vector<Setting> base;
  bool every_class = false;  // "class": "all" in the base
  std::int32_t gpus = 1;
  std::vector<Axis> axes;
  std::vector<Exclusion> exclude;
  std::vector<EvaluationRequest> evaluations;
  std::string where;           // "batch-size.json:3: blocks[0]", for messages
  std::string evaluate_where;  // of what `evaluations` come from
  std::string class_where;     // "batch-size.json:5: blocks[0].grid.class"
};

struct Spec {
  std::string name;
  std::string text;  // as read
  std::vector<Block> blocks;
  std::vector<std::pair<std::string, TableSpec>> tables;
  std::vector<std::pair<std::string, FigureSpec>> figures;
};

// JSON with comments. Throws UsageError "batch-size.json:4: grid.loss: 'moco' is none of: …" for
// unknown or repeated keys, wrong types, values out of range, a field in two axes.
Spec parse_spec(const std::string& text, const std::string& file);
Spec read_spec(const std::string& path);

struct PlannedTrial {
  Trial trial;               // canonical and checked
  std::int32_t evaluations;  // index into Expansion::evaluations
  std::int32_t variant;      // index into Expansion::variants; 0 is ""
  std::int32_t gpus = 1;     // divides batch_size; 1 where nothing is trained; or kAutoGpus
  std::uint64_t number = id_number(trial);  // its id, found once: that costs more than a copy
  std::string id() const { return id_text(number); }
};

struct Expansion {
  std::vector<PlannedTrial> trials;  // in the file's order
  std::vector<std::vector<EvaluationRequest>> evaluations;
  std::vector<std::string> variants;
  std::int64_t duplicates = 0;  // dropped
  std::int64_t excluded = 0;
  std::vector<std::string> warnings;
};

// Finds the images of a trial whose data set is_read_first, by its `source` and class. May throw
// Error: they are not there, or not prepared.
using FindSource = std::function<SourceImages(const Trial&)>;

// All trials of the sweep. Throws UsageError for a combination that cannot run and for one that
// none of the scores asked for applies to, naming it, and for more than ten million combinations.
Expansion expand(const Spec& spec, const FindSource& find_source = {});

// For each trial of an expansion, which seed of its cell (the trial but for its seed) it is in the
// file's order: 0 for the first.
std::vector<std::int64_t> seed_ranks(const Expansion& expansion);

}  // namespace occam
