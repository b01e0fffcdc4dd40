#include "worker/run_trial.h"

#include <chrono>

#include "experiments/error.h"
#include "worker/distributed/across.h"
#include "worker/evaluate/evaluate.h"
#include "worker/evaluate/export.h"
#include "worker/evaluate/extract.h"
#include "worker/train/train.h"

namespace occam {

template <>
std::span<const std::string_view> names_of<Pulse::Phase>() {
  static constexpr std::string_view names[] = {"loading", "joining", "training", "evaluating"};
  return names;
}

namespace {

using Clock = std::chrono::steady_clock;

using Brought = std::variant<Outcome, Stopped, Left>;

struct StopWanted {};  // thrown out of an evaluation

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

Brought attempt(const Start& start, ImageCache& images, Bench& bench, Pulse& pulse,
                const RunOptions& options) {
  const Trial& trial = start.config;
  Group* const group = options.group.get();
  const bool speaks = !group || group->rank() == 0;
  // The gang's work is done, in one way or another: its step goes, then the gang.
  const auto part = [&] {
    if (!group) return;
    bench.clear();
    group->leave();
  };
  if (bench.device().is_cpu() && trial.precision != Precision::fp32)
    throw Error("precision " + to_string(trial.precision) +
                " needs a GPU; on a CPU there is fp32 alone");
  if (group) {
    share_of(trial.batch_size, group);  // throws before anybody waits
    pulse.phase = Pulse::Phase::joining;
    group->join(options.on_ticket);
    pulse.phase = Pulse::Phase::loading;
  }
  const auto image_data = images.get(trial.dataset);
  const OneClassData data = one_class(*image_data, trial);
  const CheckpointFolder checkpoints(start.folder, start.trial);
  Outcome outcome{start.trial, start.lease, OutcomeStatus::completed, "", {}, 0,
                  0,           0,           image_data->digest};

  TrainingHooks hooks;
  hooks.save_every = std::chrono::duration<double>(options.checkpoint_every);
  hooks.stop_wanted = options.stop_wanted;
  hooks.on_step = [&](std::int64_t step) { pulse.count = step; };
  if (speaks)
    hooks.save = [&](const TrainingState& state) { checkpoints.save(start.lease, state); };
  hooks.on_epoch = [&](Progress progress) {
    if (!speaks) return;
    progress.trial = start.trial;
    progress.lease = start.lease;
    options.on_progress(progress);
  };
  pulse.phase = Pulse::Phase::training;
  const Clock::time_point train_began = Clock::now();
  Training training;
  try {
    training = train(trial, data.train, bench,
                     speaks ? checkpoints.newest(start.resumable) : std::nullopt, hooks, group);
  } catch (const Diverged& problem) {
    part();
    if (!speaks) return Left{start.trial, start.lease, ""};
    outcome.status = OutcomeStatus::diverged;
    outcome.error = problem.what();
    outcome.train_seconds = seconds_since(train_began);
    return outcome;
  }
  part();
  if (!speaks) return Left{start.trial, start.lease, ""};
  if (training.stopped) return Stopped{start.trial, start.lease};
  outcome.train_seconds = seconds_since(train_began);
  outcome.steps = training.steps;

  bench.enter_evaluation();
  pulse.phase = Pulse::Phase::evaluating;
  pulse.count = 0;
  const Clock::time_point evaluate_began = Clock::now();
  try {
    outcome.evaluations =
        evaluate(*training.network, data, start.evaluations, [&](std::int64_t count) {
          pulse.count = count;
          if (options.stop_wanted()) throw StopWanted{};
        });
    if (!options.export_folder.empty())
      export_features(options.export_folder,
                      extract(*training.network, data.train, false, [](std::int64_t) {}).pool,
                      extract(*training.network, data.test, false, [](std::int64_t) {}).pool,
                      data.is_outlier);
  } catch (const StopWanted&) {
    if (is_trained(trial))
      checkpoints.save(start.lease, finished_state(*training.network, training.steps));
    return Stopped{start.trial, start.lease};
  }
  outcome.evaluate_seconds = seconds_since(evaluate_began);
  return outcome;
}

}  // namespace

std::shared_ptr<const ImageData> ImageCache::get(Dataset dataset) {
  const std::lock_guard lock(mutex_);
  auto& images = images_[dataset];
  if (!images) images = std::make_shared<const ImageData>(load_images(dataset, folder_));
  return images;
}

std::variant<Outcome, Stopped, Left> run_trial(const Start& start, ImageCache& images, Bench& bench,
                                               Pulse& pulse, const RunOptions& options) {
  Group* const group = options.group.get();
  const std::int64_t rank = group ? group->rank() : 0;
  try {
    bench.enter_training();
    return attempt(start, images, bench, pulse, options);
  } catch (const GroupBroken& problem) {
    bench.clear();
    if (pulse.phase != Pulse::Phase::joining || !options.stop_wanted())
      return Left{start.trial, start.lease, problem.what()};
    // Stopped before it began.
    if (rank == 0) return Stopped{start.trial, start.lease};
    return Left{start.trial, start.lease, ""};
  } catch (const std::exception& problem) {
    if (group) {
      group->abort("rank " + std::to_string(rank) + ": " + problem.what());
      bench.clear();
    }
    if (rank > 0) return Left{start.trial, start.lease, problem.what()};
    return Outcome{start.trial, start.lease, OutcomeStatus::failed, problem.what(), {}, 0, 0,
                   0,           ""};
  }
}

}  // namespace occam
