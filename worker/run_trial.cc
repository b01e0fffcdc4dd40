#include "worker/run_trial.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "experiments/error.h"
#include "worker/distributed/across.h"
#include "worker/evaluate/evaluate.h"
#include "worker/evaluate/kept_files.h"
#include "worker/train/pause.h"
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

// A disk that takes no checkpoint costs time when the worker ends too, and not the training.
template <class Write>
void write_or_say(const RunOptions& options, const std::string& trial, Write&& write) {
  try {
    write();
  } catch (const Error& problem) {
    options.on_problem("trial " + trial + " goes on without: " + problem.what());
  }
}

// Whether this worker tells of the trial, keeps its checkpoints and scores it.
bool speaks(const RunOptions& options) { return !options.group || options.group->rank() == 0; }

void save(const Start& start, const TrainingState& state, const RunOptions& options) {
  write_or_say(options, start.trial, [&] {
    CheckpointFolder(start.folder, start.trial).save(start.lease, state);
    options.on_saved({start.trial, start.lease, state.step});
  });
}

// A gang's work is done, in one way or another: its step goes, then the gang.
void part(Bench& bench, Group* group) {
  if (!group) return;
  bench.drop_step();
  group->leave();
}

// Trains, alone or with the rest of a gang.
Training train_here(const Start& start, const torch::Tensor& train_images,
                    std::unique_ptr<Bench>& bench, Pulse& pulse, const TrainingHooks& hooks,
                    const RunOptions& options) {
  Group* const group = options.group.get();
  if (group) {
    share_of(start.config.batch_size, group);  // throws before anybody waits
    pulse.phase = Pulse::Phase::joining;
    group->join(options.on_ticket);
  }
  pulse.phase = Pulse::Phase::training;
  const CheckpointFolder checkpoints(start.folder, start.trial);
  try {
    Training training =
        train_moving(start.config, train_images, bench,
                     speaks(options) ? checkpoints.newest(start.resumable) : std::nullopt, hooks,
                     options.moves, group);
    part(*bench, group);
    return training;
  } catch (const Diverged&) {
    part(*bench, group);
    throw;
  }
}

// Trains, and extracts what the requests need; or nothing when it was stopped, or another member of
// the gang does so.
struct Represented {
  TrialFeatures features;
  KeptTraining training;
  std::optional<Training> trained = {};  // here, by this attempt
};

// While features are extracted or scored for the first time of their kind. What decides which
// kernels that takes is in its name.
std::unique_ptr<Pause> pause_at_new(const std::string& what, const Start& start,
                                    torch::Device device) {
  if (!device.is_cuda()) return nullptr;
  const Trial& trial = start.config;
  nlohmann::json kind{to_string(trial.dataset), trial.source.name,         trial.width, trial.depth,
                      trial.embedding,          to_string(trial.precision)};
  for (const EvaluationRequest& request : start.evaluations) kind.push_back(to_json(request));
  return pause_at_first(what + kind.dump());
}

std::optional<Represented> train_and_extract(const Start& start, const ImageData& images,
                                             const OneClassData& data,
                                             std::unique_ptr<Bench>& bench, Pulse& pulse,
                                             const RunOptions& options) {
  const Trial& trial = start.config;
  TrainingHooks hooks;
  hooks.save_every = std::chrono::duration<double>(options.checkpoint_every);
  hooks.stop_wanted = options.stop_wanted;
  hooks.on_step = [&](std::int64_t step) { pulse.count = step; };
  if (speaks(options))
    hooks.save = [&](const TrainingState& state) { save(start, state, options); };
  hooks.on_epoch = [&](Progress progress) {
    if (!speaks(options)) return;
    progress.trial = start.trial;
    progress.lease = start.lease;
    options.on_progress(progress);
  };
  const Clock::time_point began = Clock::now();
  Training training = train_here(start, data.train, bench, pulse, hooks, options);
  if (training.stopped || !speaks(options)) return std::nullopt;

  Represented made;
  made.training = {start.trial,          images.digest,  options.build,
                   seconds_since(began), training.steps, ""};
  pulse.phase = Pulse::Phase::evaluating;
  pulse.count = 0;
  auto pause = pause_at_new("features ", start, bench->device());
  try {
    made.features = extract_all(*training.network, data, trial.seed, start.evaluations,
                                [&](std::int64_t count) {
                                  pulse.count = count;
                                  if (options.stop_wanted()) throw StopWanted{};
                                });
  } catch (const StopWanted&) {
    if (is_trained(trial)) save(start, finished_state(training), options);
    return std::nullopt;
  }
  pause.reset();
  const ExtractedFeatures& train_features = made.features.train;
  if (is_trained(trial))
    made.training.collapsed =
        collapse(trial, tail_of(trial, training),
                 embedding_spread(train_features.embed.defined() ? train_features.embed
                                                                 : train_features.pool));
  if (start.keep.features || start.keep.weights)
    write_or_say(options, start.trial, [&] {
      write_kept(start.keep.folder, made.training,
                 start.keep.features ? made.features : TrialFeatures{}, data,
                 start.keep.weights ? training.network.get() : nullptr);
    });
  made.trained = std::move(training);
  return made;
}

// What an earlier attempt has kept.
Represented read_represented(const Start& start, const ImageData& images, const OneClassData& data,
                             const Bench& bench) {
  KeptFeatures kept = read_kept(start.keep.folder, start.evaluations, bench.device());
  const Kept& manifest = kept.manifest;
  if (manifest.trial != start.trial || manifest.data != images.digest)
    throw Error(start.keep.folder + ": holds features of " +
                (manifest.trial != start.trial ? "another trial, " + manifest.trial
                                               : "other images, digest " + manifest.data));
  add_pixels(kept.features, data, start.config.seed, start.evaluations, bench.device());
  return {std::move(kept.features),
          {manifest.trial, manifest.data, manifest.build, manifest.train_seconds, manifest.steps,
           manifest.collapsed}};
}

Brought attempt(const Start& start, ImageCache& images, std::unique_ptr<Bench>& bench, Pulse& pulse,
                const RunOptions& options) {
  const Trial& trial = start.config;
  if (bench->device().is_cpu() && trial.precision != Precision::fp32)
    throw Error("precision " + to_string(trial.precision) +
                " needs a GPU; on a CPU there is fp32 alone");
  if (trial.extra != ExtraFields{})
    throw Error("extra " + trial.extra.text +
                " means nothing to occam-worker; it is for a program given as --worker");
  const auto image_data = images.get(trial.dataset, trial.source);
  const OneClassData data = one_class(*image_data, trial);
  Outcome outcome{start.trial, start.lease, OutcomeStatus::completed};
  outcome.data = image_data->digest;
  const Clock::time_point began = Clock::now();
  std::optional<Represented> made;
  try {
    made = start.keep.score_only
               ? read_represented(start, *image_data, data, *bench)
               : train_and_extract(start, *image_data, data, bench, pulse, options);
  } catch (const Diverged& problem) {
    if (!speaks(options)) return Left{start.trial, start.lease, ""};
    outcome.status = OutcomeStatus::diverged;
    outcome.error = problem.what();
    outcome.train_seconds = seconds_since(began);
    return outcome;
  }
  if (!speaks(options)) return Left{start.trial, start.lease, ""};
  if (!made) return Stopped{start.trial, start.lease};
  outcome.train_seconds = made->training.train_seconds;
  outcome.steps = made->training.steps;
  outcome.collapsed = made->training.collapsed;
  if (made->training.build != options.build)
    outcome.build = made->training.build + "+" + options.build;

  std::optional<TrainingState> finished;
  if (made->trained && is_trained(trial)) finished = finished_state(*made->trained);
  bench->enter_evaluation();
  pulse.phase = Pulse::Phase::evaluating;
  auto pause = pause_at_new("scores ", start, bench->device());
  if (!options.group) options.on_scoring(bench);
  const std::int64_t images_seen = pulse.count;
  std::vector<ScoredRequest> answers;
  try {
    answers = evaluate(made->features, start.evaluations, [&](std::int64_t count) {
      pulse.count = images_seen + count;
      if (options.stop_wanted()) throw StopWanted{};
    });
  } catch (const StopWanted&) {
    if (finished) save(start, *finished, options);
    return Stopped{start.trial, start.lease};
  }
  pause.reset();
  for (const ScoredRequest& answer : answers) outcome.evaluations.push_back(answer.evaluation);
  if (start.keep.scores)
    write_or_say(options, start.trial,
                 [&] { write_scores(start.keep.folder, made->features, answers); });
  outcome.evaluate_seconds =
      std::max(0.0, seconds_since(began) - (start.keep.score_only ? 0 : outcome.train_seconds));
  return outcome;
}

}  // namespace

std::shared_ptr<const ImageData> ImageCache::get(Dataset dataset, const SourceImages& source) {
  const std::lock_guard lock(mutex_);
  auto& images = images_[{dataset, source.name + source.content}];
  if (!images) images = std::make_shared<const ImageData>(load_images(dataset, source, folder_));
  return images;
}

std::variant<Outcome, Stopped, Left> run_trial(const Start& start, ImageCache& images,
                                               std::unique_ptr<Bench>& bench, Pulse& pulse,
                                               const RunOptions& options) {
  Group* const group = options.group.get();
  const std::int64_t rank = group ? group->rank() : 0;
  try {
    bench->enter_training();
    return attempt(start, images, bench, pulse, options);
  } catch (const GroupBroken& problem) {
    bench->drop_step();
    if (pulse.phase != Pulse::Phase::joining || !options.stop_wanted())
      return Left{start.trial, start.lease, problem.what()};
    // Stopped before it began.
    if (rank == 0) return Stopped{start.trial, start.lease};
    return Left{start.trial, start.lease, ""};
  } catch (const std::exception& problem) {
    if (group) {
      group->abort("rank " + std::to_string(rank) + ": " + problem.what());
      bench->drop_step();
    }
    if (rank > 0) return Left{start.trial, start.lease, problem.what()};
    return Outcome{start.trial, start.lease, OutcomeStatus::failed,
                   "trial " + start.trial + ": " + problem.what()};
  }
}

}  // namespace occam
