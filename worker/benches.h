#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/parts.h"
#include "worker/train/moving.h"
#include "worker/train/training_step.h"

namespace occam {

// The benches of a worker's slots. On a GPU with four slots or more, small trials can work on parts
// of it, two on each: steps of the same kernels side by side take longer for each other's sake than
// one after the other on fewer multiprocessors, and cuDNN chooses algorithms that are good on few.
// Thread-safe.
class Benches {
 public:
  // On a device of so many parts, or of one where it cannot be divided. `log` hears what a
  // user should know.
  Benches(torch::Device device, int slots, int parts, std::function<void(const std::string&)> log);

  // A bench for a trial that may use this share of the device, or what `running` trials leave of
  // it (itself counted): warm for the trial where there is one such. At most `slots` at a time.
  std::unique_ptr<Bench> take(const Trial& trial, double share, int running);
  void give_back(std::unique_ptr<Bench> bench);

  // Whether a trial that trains on `present` would get more of the device on the part that take()
  // chose for it now (parts.h). While another takes or gives back, the answer is no.
  bool has_better(const Bench& present, const Trial& trial, double share, int running) const;
  // That bench, or null when there is none any more; the caller gives the present one back. That
  // keeps its step as a waiting bench does: it is the last that makes room for the new bench's.
  std::unique_ptr<Bench> take_better(Bench& present, const Trial& trial, double share, int running);
  // How that trial moves among these benches, which must outlive it; `running` is asked each time.
  Moves moves(const Trial& trial, double share, std::function<int()> running);

 private:
  std::unique_ptr<Bench> take(cuda::Part part, const Trial& trial, int running,
                              Bench* left = nullptr);
  std::unique_ptr<Bench> make(cuda::Part part);
  void make_room(int running, Bench* left = nullptr);

  torch::Device device_;
  int slots_;
  std::function<void(const std::string&)> log_;
  mutable std::mutex mutex_;
  Parts parts_;
  std::vector<std::unique_ptr<Bench>> waiting_;
};

// Into how many parts, `most` at most, a device is divided for so many slots; not at all when
// it is a CPU or the process is deterministic.
int parts_of(torch::Device device, int slots, int most);

}  // namespace occam
