#pragma once

#include <torch/types.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <variant>

#include "experiments/message.h"
#include "worker/data/images.h"
#include "worker/train/training_step.h"

namespace occam {

// Data sets, each read once a process and shared by its slots. Thread-safe.
class ImageCache {
 public:
  explicit ImageCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::shared_ptr<const ImageData> get(Dataset dataset, const SourceImages& source = {});

 private:
  std::filesystem::path folder_;
  std::mutex mutex_;
  std::map<std::pair<Dataset, std::string>, std::shared_ptr<const ImageData>> images_;
};

// How far a running trial is, for the heartbeat; read by another thread.
struct Pulse {
  enum class Phase { loading, training, evaluating };
  std::atomic<Phase> phase{Phase::loading};
  std::atomic<std::int64_t> count{0};
};
template <>
std::span<const std::string_view> names_of<Pulse::Phase>();

struct RunOptions {
  double checkpoint_every = 300;  // seconds
  std::function<bool()> stop_wanted = [] { return false; };
  std::function<void(const Progress&)> on_progress = [](const Progress&) {};
  std::string build;  // of this program, as Ready says it
};

// One attempt at a trial, from its newest checkpoint to its scores. Never throws: what goes wrong
// is an Outcome with status failed. Its checkpoints stay until the coordinator has recorded the
// outcome.
std::variant<Outcome, Stopped> run_trial(const Start& start, ImageCache& images, Bench& bench,
                                         Pulse& pulse, const RunOptions& options);

}  // namespace occam
