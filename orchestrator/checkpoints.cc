#include "orchestrator/checkpoints.h"

#include <algorithm>

namespace occam {
namespace {

namespace fs = std::filesystem;

// Ids of the trials whose checkpoints may still be continued.
std::vector<std::string> needed(const Store& store) {
  std::vector<std::string> ids;
  for (const auto& row : store.texts("SELECT DISTINCT trial FROM trials WHERE state NOT IN "
                                     "('completed', 'diverged') ORDER BY "
                                     "trial"))
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
  const std::vector<std::string> keep = needed(store);
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

}  // namespace occam
