#include "results/sql_text.h"

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {

std::string sql_text(const std::string& text) {
  std::string literal = "'";
  for (const char one : text) literal += one == '\'' ? "''" : std::string(1, one);
  return literal + "'";
}

std::string sql_condition(const std::string& column, const std::vector<std::string>& values) {
  std::vector<std::string> any;
  for (const std::string& value : values) {
    double number = 0;
    any.push_back("CAST(\"" + column + "\" AS TEXT) = " + sql_text(value));
    if (read_number(value, number)) any.push_back("\"" + column + "\" = " + shortest(number));
  }
  return "(" + joined(any, " OR ") + ")";
}

}  // namespace occam
