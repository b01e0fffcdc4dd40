#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/trial.h"

namespace occam {

// Reads one trial after the other from the JSON that the store holds of them. Neighbours in a sweep
// differ in few fields, and only those are read anew: a tenth of the time.
class TrialReader {
 public:
  // Until the next call. Throws as trial_from_json does.
  const Trial& read(std::string_view config);

 private:
  struct Part {  // "name":value, as it stands in the text, and the comma or brace behind it
    std::string text;
    std::size_t value;  // where that begins
  };
  bool read_changes(std::string_view config);

  Trial trial_;
  std::vector<Part> parts_;  // of trial_'s text; empty where it cannot be taken apart
};

}  // namespace occam
