#pragma once

#include <string>
#include <vector>

#include "orchestrator/commands/origin.h"

namespace occam {

// What became of a file that table, compare, plot or paper wrote.
struct MadeAgain {
  std::string difference;     // between the file and what the databases give now; "" for none
  bool same_results = false;  // as when it was made
};

// Makes it again, of the given databases or, without any, of those that it names. Throws Error for
// a file that some other command made.
MadeAgain made_again(const StampedFile& file, const std::vector<std::string>& databases);

}  // namespace occam
