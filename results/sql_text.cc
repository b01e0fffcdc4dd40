#include "results/sql_text.h"

namespace occam {

std::string sql_text(const std::string& text) {
  std::string literal = "'";
  for (const char one : text) literal += one == '\'' ? "''" : std::string(1, one);
  return literal + "'";
}

}  // namespace occam
