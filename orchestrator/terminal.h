#pragma once

#include <cstddef>

namespace occam {

// How many columns the terminal has that is open under this descriptor; 0 where it is none, or does
// not say.
std::size_t terminal_width(int descriptor);

}  // namespace occam
