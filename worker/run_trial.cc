#include "worker/run_trial.h"

#include <chrono>

#include "experiments/error.h"
#include "worker/evaluate/evaluate.h"
#include "worker/evaluate/export.h"
#include "worker/evaluate/extract.h"
#include "worker/train/train.h"

namespace occam {

template <>
std::span<const std::string_view> names_of<Pulse::Phase>() {
  static constexpr std::string_view names[] = {"loading", "training", "evaluating"};
  return names;
}

namespace {

using Clock = std::chrono::steady_clock;

struct StopWanted {};  // thrown out of an evaluation

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

std::variant<Outcome, Stopped> attempt(const Start& start, ImageCache& images, Bench& bench,
                                       Pulse& pulse, const RunOptions& options) {
  const Trial& trial = start.config;
  if (bench.device().is_cpu() && trial.precision != Precision::fp32)
    throw Error("precision " + to_string(trial.precision) +
                " needs a GPU; on a CPU there is fp32 alone");
  const auto image_data = images.get(trial.dataset);
  const OneClassData data = one_class(*image_data, trial);
  const CheckpointFolder checkpoints(start.folder, start.trial);
  Outcome outcome{start.trial, start.lease, OutcomeStatus::completed, "", {}, 0,
                  0,           0,           image_data->digest};

  TrainingHooks hooks;
  hooks.save_every = std::chrono::duration<double>(options.checkpoint_every);
  hooks.stop_wanted = options.stop_wanted;
  hooks.on_step = [&](std::int64_t step) { pulse.count = step; };
  hooks.save = [&](const TrainingState& state) { checkpoints.save(start.lease, state); };
  hooks.on_epoch = [&](Progress progress) {
    progress.trial = start.trial;
    progress.lease = start.lease;
    options.on_progress(progress);
  };
  pulse.phase = Pulse::Phase::training;
  const Clock::time_point train_began = Clock::now();
  Training training;
  try {
    training = train(trial, data.train, bench, checkpoints.newest(start.resumable), hooks);
  } catch (const Diverged& problem) {
    outcome.status = OutcomeStatus::diverged;
    outcome.error = problem.what();
    outcome.train_seconds = seconds_since(train_began);
    return outcome;
  }
  if (training.stopped) return Stopped{start.trial, start.lease};
  outcome.train_seconds = seconds_since(train_began);
  outcome.steps = training.steps;

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

std::variant<Outcome, Stopped> run_trial(const Start& start, ImageCache& images, Bench& bench,
                                         Pulse& pulse, const RunOptions& options) {
  try {
    bench.enter();
    return attempt(start, images, bench, pulse, options);
  } catch (const std::exception& problem) {
    return Outcome{start.trial, start.lease, OutcomeStatus::failed, problem.what(), {}, 0, 0,
                   0,           ""};
  }
}

}  // namespace occam
