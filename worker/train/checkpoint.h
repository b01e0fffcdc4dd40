#pragma once

#include <torch/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace occam {

// All that a training needs to go on as if it had not stopped: every draw is a function of the
// step, so there is no generator to save.
struct TrainingState {
  std::int64_t step = 0;                            // updates done
  torch::Tensor weights, velocity, statistics;      // flat float32, as Network holds them
  double loss_sum = 0, accuracy_sum = 0;            // of the steps so far of the running epoch
  double tail_loss_sum = 0, tail_accuracy_sum = 0;  // of the last tenth's epochs that are whole
};

// Checkpoints of one trial: <folder>/<lease>.ckpt, one line of JSON (trial, lease, step, sizes,
// XXH3 of all else) and the raw little-endian floats.
class CheckpointFolder {
 public:
  CheckpointFolder(std::filesystem::path folder, std::string trial);

  // Written beside, synced, renamed: a reader sees the old file or the new one, whole. Throws Error
  // naming the file when it cannot be written; the previous checkpoint is then still there.
  void save(std::int64_t lease, const TrainingState& state) const;

  // The furthest valid checkpoint among those of the given leases; damaged ones are passed over.
  std::optional<TrainingState> newest(const std::vector<std::int64_t>& leases) const;

  // Removes the trial's checkpoints, and the folder when that leaves it empty.
  void clear() const;

 private:
  std::filesystem::path path(std::int64_t lease) const;
  std::filesystem::path folder_;
  std::string trial_;
};

}  // namespace occam
