#pragma once

#include <functional>
#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// The trial whose id begins so. Throws UsageError when none does, or several.
std::string trial_of(const Store& store, const std::string& text);

// Ids of the trials of the view `trials` that the conditions FIELD=VALUE[,VALUE] and the SQL
// condition `such` accept; all such where no condition is given. In the order of their sweeps.
std::vector<std::string> trials_where(const Store& store, const std::vector<std::string>& where,
                                      const std::string& such);

struct TrialChange {
  // Returns of how many trials it changed anything.
  std::function<std::size_t(Store&)> make;
  // What is said of that; the store is one that was changed, or of no trials merely read.
  std::function<std::string(const Store&, std::size_t)> said;
  // What the coordinator of a running sweep is asked to do in this process's place, if it can.
  std::string request = {};
};

// Makes a change to the chosen trials of the database, and of the files of an array's parts, and
// says of how many; with `dry_run` only prints their ids. Returns the exit code.
int change_chosen(const std::string& database, const std::vector<std::string>& chosen, bool dry_run,
                  const TrialChange& change);

// "3 DONE; NEXT", without what comes next where nothing was changed.
std::string changed_text(std::size_t changed, const std::string& done, const std::string& next);

}  // namespace occam
