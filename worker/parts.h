#pragma once

#include <optional>
#include <vector>

#include "worker/cuda/part.h"

namespace occam {

// Into how many parts, `parts` at most, the device is divided for a trial that may use this share
// of it: as many as leave that share to each. Parts count as equal here, as they nearly are.
int parts_for(double share, int parts);

// Which parts of a device its trials are on. The device is divided into so many smallest parts; a
// larger one covers several of them.
class Parts {
 public:
  explicit Parts(int smallest) : trials_on_(static_cast<std::size_t>(smallest)) {}

  // For one more trial that may use this share of the device: of the parts of its size that with
  // the fewest trials.
  cuda::Part choose(double share) const;
  void enter(cuda::Part part) { count(part, 1); }
  void leave(cuda::Part part) { count(part, -1); }
  // Where a trial of that share that is on `present` would get at least 1.4 times as much of the
  // device, if there: choose()'s part once the trial has left its own. What a trial gets is its
  // part, shared with the trials on the most crowded of the smallest parts there.
  std::optional<cuda::Part> better(cuda::Part present, double share) const;

 private:
  double share_on(cuda::Part part) const;
  void count(cuda::Part part, int by);
  int smallest() const { return static_cast<int>(trials_on_.size()); }

  std::vector<int> trials_on_;  // by smallest part
};

}  // namespace occam
