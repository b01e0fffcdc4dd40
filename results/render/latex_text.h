#pragma once

#include <string>

namespace occam {

// The text as LaTeX sets it, on one line: nothing in it is a command, and the signs of tables and
// formulas that pdflatex does not know by themselves are commands.
std::string latex_text(const std::string& text);

}  // namespace occam
