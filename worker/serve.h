#pragma once

#include <torch/types.h>

#include <filesystem>
#include <string>

namespace occam {

struct ServeOptions {
  torch::Device device = torch::kCPU;
  // Trials at once, each on its own thread; 0 is as many as the GPU trains quickest.
  int slots = 1;
  int parts = 4;                     // of a GPU, at most, that the slots' trials are divided among
  std::filesystem::path cache = {};  // where the best number of slots is kept once it is measured
  int threads = 1;                   // of a CPU trial; more change the last bits of its numbers
  std::filesystem::path data;
  double checkpoint_every = 300;
  bool deterministic = false;  // on a GPU: the same bits again, alone or packed, for some speed
  double gang_timeout = 300;   // seconds for which a member waits for the others of its gang
};

// The worker's life: messages (experiments/message.h) come as lines on `in` and go as lines on
// `out`, until `exit`, or the end of `in`, after which nobody is interested in the work any more.
// Returns the exit code.
int serve(int in, int out, const ServeOptions& options);

}  // namespace occam
