#include "orchestrator/keeping.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "experiments/cost.h"
#include "experiments/error.h"
#include "experiments/kept.h"
#include "orchestrator/commands/command.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

// The folder's manifest; none where there is none that can be read.
std::optional<Kept> manifest_of(const fs::path& folder) {
  std::ifstream file(folder / kKeptManifest);
  if (!file) return std::nullopt;
  try {
    return kept_from_json(nlohmann::json::parse(file));
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

// Whether the folder has the files that answer the requests, as large as they were written.
bool has_files(const fs::path& folder, const Kept& kept,
               const std::vector<EvaluationRequest>& requests) {
  const std::set<std::string> names = files_for(requests);
  return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
    const auto written = kept.files.find(name);
    std::error_code missing;
    const auto bytes = static_cast<std::int64_t>(fs::file_size(folder / name, missing));
    return written != kept.files.end() && !missing && bytes == written->second.bytes;
  });
}

// What cannot be looked at is as good as not there.
bool is_there(const fs::path& file) {
  std::error_code none;
  return fs::exists(file, none);
}

// Of the folder's newest file; the least time where there is none.
fs::file_time_type written_at(const fs::path& folder) {
  fs::file_time_type last = fs::file_time_type::min();
  std::error_code none;
  for (const auto& file : fs::directory_iterator(folder, none))
    last = std::max(last, fs::last_write_time(file.path()));
  return last;
}

}  // namespace

bool has_kept_features(const Start& start) {
  const std::optional<Kept> kept = manifest_of(start.keep.folder);
  return kept && kept->trial == start.trial &&
         std::all_of(start.evaluations.begin(), start.evaluations.end(),
                     [&](const EvaluationRequest& request) { return suffices(*kept, request); }) &&
         has_files(start.keep.folder, *kept, start.evaluations);
}

Keeping parse_keeping(const std::string& text) {
  Keeping keeping;
  if (text == "none") return keeping;
  for (const std::string& word : split_list(text)) {
    if (word == "none") throw UsageError("--keep " + text + ": none stands alone");
    if (word == "features")
      keeping.features = true;
    else if (word == "weights")
      keeping.weights = true;
    else if (word == "scores")
      keeping.scores = true;
    else
      throw UsageError("--keep '" + word + "' is none of: none, features, weights, scores" +
                       did_you_mean(word, {"none", "features", "weights", "scores"}));
  }
  return keeping;
}

void plan_keeping(MissingWork& work, const fs::path& folder, const Keeping& keeping) {
  for (std::size_t i = 0; i < work.starts.size(); ++i) {
    Start& start = work.starts[i];
    start.keep = {(folder / start.trial).string(), keeping.features, keeping.weights,
                  keeping.scores, false};
    if (work.lacking[i].empty()) continue;
    const fs::path own = start.keep.folder;
    start.keep.features |= is_there(own / kKeptManifest);
    start.keep.weights |= is_there(own / kWeightsFile);
    start.keep.scores |= is_there(own / kScoresFile);
    if (!has_kept_features(start)) continue;
    start.keep.score_only = true;
    // Scoring costs about what one pass over the images does.
    work.tasks[i].work = evaluation_macs(start.config, start.evaluations);
    work.tasks[i].gpus = work.tasks[i].most_gpus = 1;
  }
}

std::size_t count_without_scores(const std::vector<TrialHistory>& histories,
                                 const Expansion& expansion, const fs::path& folder) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < histories.size(); ++i)
    count += histories[i].outcome == OutcomeStatus::completed && histories[i].missing.empty() &&
             !is_there(folder / expansion.trials[i].id() / kScoresFile);
  return count;
}

std::size_t take_kept(const Store& store, const fs::path& from, const fs::path& to) {
  std::error_code none;
  std::size_t taken = 0;
  if (!fs::is_directory(from, none)) return taken;
  const std::vector<std::string> finished =
      store.column("SELECT trial FROM outcome WHERE retired_at IS NULL ORDER BY trial");
  try {
    for (const auto& folder : fs::directory_iterator(from)) {
      const std::string trial = folder.path().filename();
      if (!std::binary_search(finished.begin(), finished.end(), trial)) continue;
      if (written_at(from / trial) <= written_at(to / trial)) continue;
      const fs::path half = to / (trial + ".partial.merged");
      fs::remove_all(half);
      fs::create_directories(half);
      for (const auto& file : fs::directory_iterator(from / trial)) {
        fs::create_hard_link(file.path(), half / file.path().filename(), none);
        if (none) fs::copy_file(file.path(), half / file.path().filename());
      }
      fs::remove_all(to / trial);
      fs::rename(half, to / trial);
      ++taken;
    }
  } catch (const fs::filesystem_error& problem) {
    throw Error(to.string() + ": what is kept in " + from.string() +
                " could not be taken along, which the same merge tries again (" +
                problem.code().message() + ")");
  }
  return taken;
}

std::size_t drop_trainings(MissingWork& work) {
  MissingWork kept;
  kept.cancelled = work.cancelled;
  for (std::size_t i = 0; i < work.starts.size(); ++i) {
    if (!work.starts[i].keep.score_only) continue;
    kept.tasks.push_back(work.tasks[i]);
    kept.starts.push_back(work.starts[i]);
    kept.lacking.push_back(work.lacking[i]);
    kept.failed += i >= work.to_run();
  }
  const std::size_t dropped = work.starts.size() - kept.starts.size();
  work = std::move(kept);
  return dropped;
}

}  // namespace occam
