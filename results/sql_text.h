#pragma once

#include <string>

namespace occam {

// The text as an SQL literal, in quotes.
std::string sql_text(const std::string& text);

}  // namespace occam
