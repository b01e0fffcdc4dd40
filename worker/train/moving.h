#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "worker/train/train.h"

namespace occam {

// How a training comes to a better bench while it trains; by default it stays where it is.
struct Moves {
  // Asked after an epoch; cheap.
  std::function<bool(const Bench& present)> has_better = [](const Bench&) { return false; };
  // Null when there is none any more. The step of the present bench may go.
  std::function<std::unique_ptr<Bench>(Bench& present)> take_better = [](Bench&) {
    return std::unique_ptr<Bench>();
  };
  // Of the bench that was left, or of the better one where no training could begin.
  std::function<void(std::unique_ptr<Bench>)> give_back = [](std::unique_ptr<Bench>) {};
  // Why a move failed; the training goes on where it was, and tries no other.
  std::function<void(const std::string&)> on_problem = [](const std::string&) {};
  // A move costs a second or two, for a graph, and brings a training of ten to seven or less.
  double least_seconds_left = 10;
};

// train(), on `bench` and, by its moves, on others: the last is left there, the calling thread at
// work on it. On a CPU moving changes no bit, elsewhere no more than going on from a checkpoint. A
// gang does not move.
Training train_moving(const Trial& trial, const torch::Tensor& train_images,
                      std::unique_ptr<Bench>& bench, std::optional<TrainingState> from,
                      TrainingHooks hooks, const Moves& moves, Group* group = nullptr);

}  // namespace occam
