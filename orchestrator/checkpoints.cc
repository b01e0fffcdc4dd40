#include "orchestrator/checkpoints.h"

#include <algorithm>

namespace occam {
namespace {

namespace fs = std::filesystem;

using Ids = std::vector<std::string>;  // in order

bool holds(const Ids& ids, const fs::path& folder) {
  return std::binary_search(ids.begin(), ids.end(), folder.filename().string());
}

bool is_trial(const std::string& name) {
  return name.size() == 16 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

std::vector<fs::path> useless_checkpoints(const Store& store, const fs::path& work, bool orphans) {
  std::vector<fs::path> useless;
  std::error_code none;
  fs::directory_iterator trials(work, none);
  if (none || trials == fs::directory_iterator()) return useless;
  const Ids known = store.column("SELECT id FROM trial ORDER BY 1");
  const Ids done = store.column(
      "SELECT trial FROM outcome o WHERE retired_at IS NULL AND NOT EXISTS (SELECT 1 FROM attempt "
      "a WHERE a.trial = o.trial AND a.number > o.attempt)" +
      std::string(orphans ? " UNION SELECT id FROM trial WHERE id NOT IN (SELECT trial FROM "
                            "sweep_trial WHERE orphaned_at IS NULL)"
                          : "") +
      " ORDER BY 1");
  for (const auto& trial : trials) {
    if (!holds(known, trial.path())) continue;
    if (holds(done, trial.path())) {
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
  const Ids keep = store.column(
      "SELECT DISTINCT trial FROM trials WHERE state IN ('completed', 'diverged') ORDER BY 1");
  for (const auto& trial : trials)
    if (is_trial(trial.path().filename()) && !holds(keep, trial.path()))
      useless.push_back(trial.path());
  return useless;
}

}  // namespace occam
