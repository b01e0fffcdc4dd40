#include "orchestrator/checkpoints.h"

#include <algorithm>

namespace occam {
namespace {

namespace fs = std::filesystem;

// Ids of the trials whose checkpoints may still be continued, or of those that have a result.
std::vector<std::string> trials_with(const Store& store, bool result) {
  std::vector<std::string> ids;
  for (const auto& row :
       store.texts(std::string("SELECT DISTINCT trial FROM trials WHERE state ") +
                   (result ? "" : "NOT ") + "IN ('completed', 'diverged') ORDER BY trial"))
    ids.push_back(row.front().value_or(""));
  return ids;
}

bool is_trial(const std::string& name) {
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::vector<fs::path> useless_checkpoints(const Store& store, const fs::path& work) {
  std::vector<fs::path> useless;
  std::error_code none;
  fs::directory_iterator trials(work, none);
  if (none || trials == fs::directory_iterator()) return useless;
  const std::vector<std::string> keep = trials_with(store, false);
  for (const auto& trial : trials) {
    if (!is_trial(trial.path().filename())) continue;
    if (!std::binary_search(keep.begin(), keep.end(), trial.path().filename().string())) {
      useless.push_back(trial.path());
      continue;
    }
    for (const auto& file : fs::directory_iterator(trial.path(), none))
      if (file.path().extension() != ".ckpt") useless.push_back(file.path());
  }
  return useless;
}

std::vector<fs::path> half_written_features(const fs::path& kept) {
  std::vector<fs::path> halves;
  std::error_code none;
  for (const auto& folder : fs::directory_iterator(kept, none)) {
    const std::string name = folder.path().filename();
    if (const std::size_t end = name.find(".partial.");
        end != std::string::npos && is_trial(name.substr(0, end)))
      halves.push_back(folder.path());
  }
  return halves;
}

std::vector<fs::path> useless_features(const Store& store, const fs::path& kept) {
  std::vector<fs::path> useless = half_written_features(kept);
  std::error_code none;
  fs::directory_iterator trials(kept, none);
  if (none || trials == fs::directory_iterator()) return useless;
  const std::vector<std::string> keep = trials_with(store, true);
  for (const auto& trial : trials)
    if (is_trial(trial.path().filename()) &&
        !std::binary_search(keep.begin(), keep.end(), trial.path().filename().string()))
      useless.push_back(trial.path());
  return useless;
}

}  // namespace occam
