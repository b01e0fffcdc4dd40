#include "worker/train/moving.h"

#include <exception>
#include <utility>

namespace occam {
namespace {

// Exchanges the bench for a better one, ready to train. False when that cannot be.
bool move(const Trial& trial, const torch::Tensor& train_images, std::unique_ptr<Bench>& bench,
          const Moves& moves) {
  std::unique_ptr<Bench> other;
  bool is_well = true;
  try {
    other = moves.take_better(*bench);
    if (other) {
      other->enter_training();
      other->step(trial, train_images);
      bench.swap(other);
    }
  } catch (const std::exception& problem) {
    is_well = false;
    moves.on_problem(problem.what());
  }
  if (other) moves.give_back(std::move(other));
  bench->enter_training();
  return is_well;
}

}  // namespace

Training train_moving(const Trial& trial, const torch::Tensor& train_images,
                      std::unique_ptr<Bench>& bench, std::optional<TrainingState> from,
                      TrainingHooks hooks, const Moves& moves, Group* group) {
  hooks.moves = [&](double seconds_left) {
    return seconds_left >= moves.least_seconds_left && moves.has_better(*bench);
  };
  while (true) {
    Training training = train(trial, train_images, *bench, from, hooks, group);
    if (!training.moves_from) return training;
    from = std::move(training.moves_from);
    hooks.last_save = training.last_save;
    training.network.reset();  // its step may have to go
    if (!move(trial, train_images, bench, moves)) hooks.moves = nullptr;
  }
}

}  // namespace occam
