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
// alone is scored without training where the folder's features answer all that it must bring; else
// it is trained again and keeps what was kept of it before, too.
void plan_keeping(MissingWork& work, const std::filesystem::path& folder, const Keeping& keeping);

// Of the finished trials that lack nothing, how many have no scores of their images in the folder:
// nothing writes those of a trial that is neither trained nor scored.
std::size_t count_without_scores(const std::vector<TrialHistory>& histories,
                                 const Expansion& expansion, const std::filesystem::path& folder);

// Takes along what another folder keeps of the store's finished trials, where it is newer than what
// lies here: links, and copies where the file system has none. Returns of how many trials. Throws
// Error.
std::size_t take_kept(const Store& store, const std::filesystem::path& from,
                      const std::filesystem::path& to);

// Whether the folder that it names holds features that answer all that it asks for.
bool has_kept_features(const Start& start);

// Leaves only the work that needs no training; returns how much it dropped.
std::size_t drop_trainings(MissingWork& work);

}  // namespace occam
