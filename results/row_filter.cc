#include "results/row_filter.h"

#include "experiments/number.h"
#include "results/result_field.h"
#include "results/sql_text.h"
#include "results/table_entry.h"

namespace occam {
namespace {

// A value is compared as the type that the column holds it in: "+" takes the column's affinity off,
// so a text never equals a number, and an id of decimal digits stays a text.
std::string equals(const std::string& field, const std::string& value) {
  if (value == kNoValue) return "\"" + field + "\" IS NULL";
  std::string literals = sql_text(value);
  std::int64_t integer = 0;
  double real = 0;
  if (read_number(value, integer))
    literals += ", " + std::to_string(integer);
  else if (read_number(value, real) && real - real == 0)
    literals += ", " + shortest(real);
  else if ((field == "validation" || field == "deterministic") &&
           (value == "true" || value == "false"))
    literals += value == "true" ? ", 1" : ", 0";
  return "+\"" + field + "\" IN (" + literals + ")";
}

std::string any_of(const std::vector<std::string>& columns, const std::string& field,
                   const std::vector<std::string>& values) {
  std::vector<std::string> choices{"0"};
  for (const std::string& value : values) {
    choices.push_back(equals(field, value));
    if (field == "class" && contains(columns, "class_name"))
      choices.push_back(equals("class_name", value));
  }
  return "(" + joined(choices, " OR ") + ")";
}

bool has_rows(const Store& store, const std::string& view, const std::string& condition) {
  return store.query("SELECT EXISTS(SELECT 1 FROM " + view + " WHERE " + condition + ")")
             .values[0][0] == 1;
}

std::vector<std::string> known_values(const Store& store, const std::string& view,
                                      const std::string& field) {
  std::vector<std::string> known;
  for (const auto& row :
       store.texts("SELECT DISTINCT \"" + field + "\" FROM " + view + " ORDER BY 1"))
    known.push_back(row[0].value_or(std::string(kNoValue)));
  return known;
}

// Parameters may be written as tables print them, which leave out a test_limit that all share; what
// the view holds is JSON.
std::vector<std::string> as_held(const Store& store, const std::string& view,
                                 const std::string& field, const std::string& value) {
  if (field != "parameters") return {value};
  std::vector<std::string> held, but_for_limit;
  for (const std::string& known : known_values(store, view, field)) {
    if (same_value(field, known, value)) held.push_back(known);
    if (same_value(field, without_test_limit(known), value)) but_for_limit.push_back(known);
  }
  return held.empty() ? but_for_limit : held;
}

// A typing error would else be an empty answer. What is planned may have no results yet, and no
// trial need be in a state. `held` is how the view has the value.
void check_value(const Store& store, const std::string& view, const std::string& field,
                 const std::string& value, const std::vector<std::string>& held) {
  const std::vector<std::string> columns = columns_of(store, view);
  if (has_rows(store, view, any_of(columns, field, held))) return;
  static const std::vector<std::string> states{"waiting", "running",   "completed",
                                               "failed",  "cancelled", "diverged"};
  if ((field == "state" || field == "status") && contains(states, value)) return;
  const std::vector<std::string> planned = columns_of(store, "trials");
  if (contains(planned, field) && has_rows(store, "trials", any_of(planned, field, {value})))
    return;
  std::vector<std::string> known = known_values(store, view, field);
  for (std::string& one : known) one = in_words(field, one);
  const std::string hint = did_you_mean(value, known);
  constexpr std::size_t kShown = 20;
  const bool many = known.size() > kShown;
  if (many) known.resize(kShown);
  throw UsageError("--where " + field + "=" + value + ": " + store.path() + " has no such " + view +
                   hint + (known.empty() ? "" : "; " + field + " is: " + joined(known)) +
                   (many ? ", …" : ""));
}

// The same bytes for the same rows, in whatever order they were recorded.
std::string order_of(const std::string& view) {
  if (view == "results") return "sweep, trial, features, classifier, parameters, split";
  return view == "trials" ? "sweep, position" : "sweep, trial, epoch";
}

}  // namespace

const std::vector<std::string>& documented_views() {
  static const std::vector<std::string> views{"results", "trials", "curves"};
  return views;
}

std::vector<std::string> columns_of(const Store& store, const std::string& view) {
  if (!contains(documented_views(), view))
    throw UsageError("'" + view + "' is none of the views: " + joined(documented_views()) +
                     did_you_mean(view, documented_views()));
  return store.query("SELECT * FROM " + view + " LIMIT 0").columns;
}

std::string condition_of(const Store& store, const std::string& view, const FieldValues& where) {
  const std::vector<std::string> columns = columns_of(store, view);
  std::vector<std::string> conditions{"1"};
  for (const auto& [field, values] : where) {
    if (!contains(columns, field))
      throw UsageError("--where: '" + field + "' is no column of " + view +
                       did_you_mean(field, columns) + "; it has: " + joined(columns));
    std::vector<std::string> all;
    for (const std::string& value : values) {
      const std::vector<std::string> held = as_held(store, view, field, value);
      check_value(store, view, field, value, held);
      all.insert(all.end(), held.begin(), held.end());
    }
    conditions.push_back(any_of(columns, field, all));
  }
  return joined(conditions, " AND ");
}

std::string select_where(const Store& store, const std::string& view, const FieldValues& where) {
  return "SELECT * FROM " + view + " WHERE " + condition_of(store, view, where) + " ORDER BY " +
         order_of(view);
}

}  // namespace occam
