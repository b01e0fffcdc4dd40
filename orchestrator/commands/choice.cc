#include "orchestrator/commands/choice.h"

#include <fmt/format.h>

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
                  const std::function<std::size_t(Store&)>& change, const ChangeWords& words) {
  if (dry_run) {
    for (const std::string& trial : chosen) fmt::print("{}\n", trial);
    return 0;
  }
  std::size_t changed = 0;
  bool asked = false;
  // A part of an array that is submitted again looks into its own file.
  std::vector<std::string> databases = shard_databases(database);
  databases.push_back(database);
  for (const std::string& one : chosen.empty() ? std::vector<std::string>{} : databases) {
    if (!words.request.empty() && is_written(one)) {
      fmt::print("{}\n", ask_coordinator(one, {{"do", words.request}, {"trials", chosen}}));
      asked = true;
      continue;
    }
    Store store(one, Store::Mode::write);
    std::cerr << store.opening_text();
    changed = change(store);
  }
  if (asked && changed == 0) return 0;
  fmt::print("{} {}{}\n", changed, words.done, changed > 0 ? "; " + words.next : "");
  return 0;
}

}  // namespace occam
