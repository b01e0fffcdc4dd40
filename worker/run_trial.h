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
#include "worker/distributed/group.h"
#include "worker/train/moving.h"

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
  enum class Phase { loading, joining, training, evaluating };
  std::atomic<Phase> phase{Phase::loading};
  std::atomic<std::int64_t> count{0};
};
template <>
std::span<const std::string_view> names_of<Pulse::Phase>();

struct RunOptions {
  double checkpoint_every = 300;  // seconds
  std::function<bool()> stop_wanted = [] { return false; };
  std::function<void(const Progress&)> on_progress = [](const Progress&) {};
  std::function<void(const Saved&)> on_saved = [](const Saved&) {};
  // What could not be written beside the outcome (a checkpoint, kept features), on a full disk say:
  // the trial goes on without.
  std::function<void(const std::string&)> on_problem = [](const std::string&) {};
  std::string build;  // of this program, as Ready says it
  // Of a trial that a gang trains: this worker's side of it, not joined yet, and who hears rank 0's
  // ticket. Rank 0 alone reports progress, saves checkpoints and evaluates.
  std::shared_ptr<Group> group;
  std::function<void(const std::string& ticket)> on_ticket = [](const std::string&) {};
  Moves moves = {};
  // A trial that no gang trained has its features: the bench may be taken away for another, and the
  // scores are computed on its stream for evaluations.
  std::function<void(std::unique_ptr<Bench>& bench)> on_scoring = [](std::unique_ptr<Bench>&) {};
};

// One attempt at a trial, from its newest checkpoint to its scores. Never throws: what goes wrong
// is an Outcome with status failed. Its checkpoints stay until the coordinator has recorded the
// outcome. A member of a gang brings Left when its part is done (rank 0's ends with the scores),
// and when the gang breaks or it fails in it, which ends the gang for the others too. `bench` is
// the one that it ends on, by the options' moves, unless on_scoring() took it.
std::variant<Outcome, Stopped, Left> run_trial(const Start& start, ImageCache& images,
                                               std::unique_ptr<Bench>& bench, Pulse& pulse,
                                               const RunOptions& options);

}  // namespace occam
