#include "orchestrator/commands/choice.h"

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "results/sql_text.h"

namespace occam {

std::string trial_of(const Store& store, const std::string& text) {
  const auto found =
      store.texts("SELECT id FROM trial WHERE substr(id, 1, " + std::to_string(text.size()) +
                  ") = " + sql_text(text) + " LIMIT 2");
  if (text.empty() || found.empty())
    throw UsageError("'" + text + "' is no trial of " + store.path() +
                     "; the ids are in: occam query " + shell_word(store.path()) +
                     " 'SELECT trial, state FROM trials'");
  if (found.size() > 1)
    throw UsageError("several trials of " + store.path() + " begin with '" + text +
                     "'; give more of the id");
  return found.front().front().value_or("");
}

std::vector<std::string> trials_where(const Store& store, const std::vector<std::string>& where,
                                      const std::string& such) {
  const auto known = store.query("SELECT * FROM trials LIMIT 0").columns;
  std::string sql = "SELECT trial FROM trials WHERE (" + such + ")";
  for (const std::string& condition : where) {
    const auto [field, values] = parse_condition(condition, known);
    sql += " AND " + sql_condition(field, values);
  }
  std::vector<std::string> ids;
  for (const auto& row : store.texts(sql + " GROUP BY trial ORDER BY min(sweep), min(position)"))
    ids.push_back(row.front().value_or(""));
  return ids;
}

}  // namespace occam
