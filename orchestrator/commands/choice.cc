#include "orchestrator/commands/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/inbox.h"
#include "results/row_filter.h"
#include "results/sql_text.h"
#include "results/store_lock.h"
#include "slurm/batch_script.h"

namespace occam {

std::string trial_of(const Store& store, const std::string& text) {
  const auto found =
      store.column("SELECT id FROM trial WHERE substr(id, 1, " + std::to_string(text.size()) +
                   ") = " + sql_text(text) + " LIMIT 2");
  if (text.empty() || found.empty())
    throw UsageError("'" + text + "' is no trial of " + store.path() +
                     "; the ids are in: occam query " + shell_word(store.path()) +
                     " 'SELECT trial, state FROM trials'");
  if (found.size() > 1)
    throw UsageError("several trials of " + store.path() + " begin with '" + text +
                     "'; give more of the id");
  return found.front();
}

std::vector<std::string> trials_where(const Store& store, const std::vector<std::string>& where,
                                      const std::string& such) {
  return store.column("SELECT trial FROM trials WHERE (" + such + ") AND " +
                      condition_of(store, "trials", parse_conditions(where)) +
                      " GROUP BY trial ORDER BY min(sweep), min(position)");
}

int change_chosen(const std::string& database, const std::vector<std::string>& chosen, bool dry_run,
                  const TrialChange& change) {
  if (dry_run) {
    for (const std::string& trial : chosen) fmt::print("{}\n", trial);
    return 0;
  }
  if (chosen.empty()) {
    fmt::print("{}\n", change.said(Store(database, Store::Mode::read), 0));
    return 0;
  }
  // A part of an array that is submitted again looks into its own file.
  std::vector<std::string> databases = shard_databases(database);
  databases.push_back(database);
  std::size_t in_parts = 0, changed = 0;
  bool asked = false;
  std::string text;
  for (const std::string& one : databases) {
    if (!change.request.empty() && is_written(one)) {
      fmt::print("{}\n", ask_coordinator(one, {{"do", change.request}, {"trials", chosen}}));
      asked = true;
      continue;
    }
    Store store(one, Store::Mode::write);
    std::cerr << store.opening_text();
    const std::size_t here = change.make(store);
    // Parts have different trials; the database may have those of all of them.
    if (one != database) in_parts += here;
    changed = std::max(here, in_parts);
    text = change.said(store, changed);
  }
  if (!asked || changed > 0) fmt::print("{}\n", text);
  return 0;
}

std::string changed_text(std::size_t changed, const std::string& done, const std::string& next) {
  return fmt::format("{} {}{}", changed, done, changed > 0 ? "; " + next : "");
}

}  // namespace occam
