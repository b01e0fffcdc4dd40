#pragma once

#include <string>

namespace occam {

// Of this program: "0.1.0", and the git revision it was built from.
std::string version();
std::string revision();

}  // namespace occam
