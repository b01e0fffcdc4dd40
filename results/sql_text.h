#pragma once

#include <string>
#include <vector>

namespace occam {

// The text as an SQL literal, in quotes.
std::string sql_text(const std::string& text);

// That a column has one of the values. Numbers compare as numbers: 3e-4 is 0.0003.
std::string sql_condition(const std::string& column, const std::vector<std::string>& values);

}  // namespace occam
