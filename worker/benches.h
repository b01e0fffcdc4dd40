#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/train/training_step.h"

namespace occam {

// The benches of a worker's slots. On a GPU with four slots or more, small trials can work on parts
// of it, two on each: steps of the same kernels side by side take longer for each other's sake than
// one after the other on fewer multiprocessors, and cuDNN chooses algorithms that are good on few.
// Thread-safe.
class Benches {
 public:
  // On a GPU its parts are parts_of(slots, most_parts). `log` hears what a user should know.
  Benches(torch::Device device, int slots, int most_parts,
          std::function<void(const std::string&)> log);

  // A bench for a trial that may use this share of the device, or what `running` trials leave of
  // it (itself counted): warm for the trial where there is one such. At most `slots` at a time.
  std::unique_ptr<Bench> take(const Trial& trial, double share, int running);
  void give_back(std::unique_ptr<Bench> bench);

 private:
  cuda::Part emptiest(int of) const;
  std::unique_ptr<Bench> make(cuda::Part part);
  void count(cuda::Part part, int by);

  torch::Device device_;
  int slots_;
  std::function<void(const std::string&)> log_;
  std::mutex mutex_;
  std::vector<int> trials_on_;  // by smallest part
  std::vector<std::unique_ptr<Bench>> waiting_;
};

// Into how many equal parts, `most` at most, a GPU is divided for so many slots; not at all when
// the process is deterministic.
int parts_of(int slots, int most);

// How many equal parts of the device, of `parts` at most, a trial is one of that may use this share
// of it: the smallest part that holds the share.
int parts_for(double share, int parts);

}  // namespace occam
