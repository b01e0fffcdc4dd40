#pragma once

#include <filesystem>
#include <string>

#include "orchestrator/missing_work.h"

namespace occam {

// What a run leaves of each trial beside its outcome: --keep.
struct Keeping {
  bool features = false, weights = false, scores = false;
};

// "none", or several of features, weights, scores with commas. Throws UsageError.
Keeping parse_keeping(const std::string& text);

// Tells every start what to keep in <folder>/<trial>. A trial that has an outcome and lacks scores
// alone is scored without training where the folder's features answer all that it must bring.
void plan_keeping(MissingWork& work, const std::filesystem::path& folder, const Keeping& keeping);

// Whether the folder that it names holds features that answer all that it asks for.
bool has_kept_features(const Start& start);

// Leaves only the work that needs no training; returns how much it dropped.
std::size_t drop_trainings(MissingWork& work);

}  // namespace occam
