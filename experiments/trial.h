#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/augmentation.h"
#include "experiments/dataset.h"
#include "experiments/names.h"

namespace occam {

enum class Loss { contrastive, rotation, contrastive_symmetric };
enum class DistributionAugmentation { none, rotation, hflip, vflip, k2, k3, k4, k5, k6, k7, k8 };
enum class LearningRateScaling { none, linear, sqrt };
enum class Schedule { cosine, constant, step };
enum class Precision { fp32, tf32, bf16 };
template <>
std::span<const std::string_view> names_of<Loss>();
template <>
std::span<const std::string_view> names_of<DistributionAugmentation>();
template <>
std::span<const std::string_view> names_of<LearningRateScaling>();
template <>
std::span<const std::string_view> names_of<Schedule>();
template <>
std::span<const std::string_view> names_of<Precision>();

// What a worker other than ours may want to know: any JSON object, held as canonical text (keys
// sorted, no spaces), so that equal ones compare equal.
struct ExtraFields {
  std::string text = "{}";
  bool operator==(const ExtraFields&) const = default;
};

// One training, fully described: what changes its numbers, and only that. The defaults are the
// released recipe and never change, so that ids stay. `visit_fields` below names every field once.
struct Trial {
  Dataset dataset = Dataset::fashion_mnist;
  SourceImages source;
  InlierClass inlier = std::int64_t{0};
  std::int64_t seed = 1;
  Loss loss = Loss::contrastive;
  DistributionAugmentation distribution_augmentation = DistributionAugmentation::none;
  std::int64_t batch_size = 32;
  AugmentationSet augmentations;
  double temperature = 0.2;
  std::int64_t negatives = 0;
  std::int64_t epochs = 2048;
  std::int64_t steps = 0;
  double learning_rate = 0.01;
  LearningRateScaling learning_rate_scaling = LearningRateScaling::none;
  Schedule schedule = Schedule::cosine;
  double momentum = 0.9;
  double weight_decay = 3e-4;
  std::int64_t depth = 18;
  double width = 1.0;
  std::int64_t head_layers = 8;
  std::int64_t head_width = 512;
  std::int64_t embedding = 128;
  Precision precision = Precision::fp32;
  std::int64_t train_limit = 0;
  bool validation = false;
  ExtraFields extra;
};

// Whether a field has a say in a trial's numbers. One that has none is kept at its default (so it
// cannot make two ids of one training), and is null in the database's views.
using Applies = bool (*)(const Trial&);

struct FieldFacts {
  std::string_view name;
  std::string_view help;
  double least = 0, most = 0;  // of a number, inclusive
  Applies applies = [](const Trial&) { return true; };
  std::string_view shown = "";  // of a JSON object: the member that people see as its value
};

inline bool is_trained(const Trial& trial) { return trial.epochs > 0 || trial.steps > 0; }
inline bool is_contrastive(const Trial& trial) { return trial.loss != Loss::rotation; }
inline bool is_trained_contrastively(const Trial& trial) {
  return is_trained(trial) && is_contrastive(trial);
}

// Calls visit(FieldFacts, member) for every field, in the order in which users meet them.
template <class AnyTrial, class Visitor>
void visit_fields(AnyTrial& trial, Visitor&& visit) {
  constexpr double big = 1e9;
  const auto visit_one = [&](const FieldFacts& facts, auto& member) { visit(facts, member); };
  visit_one({"dataset", "data set"}, trial.dataset);
  visit_one({"source", "folder: the name of the images' folder below --data", 0, 0,
             [](const Trial& t) { return is_read_first(t.dataset); }, "name"},
            trial.source);
  visit_one({"class", "inlier class: index, name or \"all\""}, trial.inlier);
  visit_one({"seed", "seed of every random draw", 0, big}, trial.seed);
  visit_one({"loss", "self-supervised loss"}, trial.loss);
  visit_one({"distribution_augmentation",
             "copies that count as instances of their own: none, rotation, hflip, vflip, or the "
             "first 1...8 of the flips of the rotations",
             0, 0, is_trained},
            trial.distribution_augmentation);
  visit_one({"batch_size", "source rows a step, before views", 1, 65536, is_trained},
            trial.batch_size);
  visit_one({"augmentations", "operations on every view, in order", 0, 0, is_trained},
            trial.augmentations);
  visit_one(
      {"temperature", "divisor of the cosine similarities", 1e-4, 100, is_trained_contrastively},
      trial.temperature);
  visit_one(
      {"negatives",
       "negatives a row; 0 is the rest of the batch (of both views under contrastive-symmetric)", 0,
       65535, is_trained_contrastively},
      trial.negatives);
  visit_one({"epochs", "passes over the enlarged train set; 0 leaves the network untrained", 0, 1e6,
             [](const Trial& t) { return t.steps == 0; }},
            trial.epochs);
  visit_one({"steps", "updates in all, in place of epochs", 0, big}, trial.steps);
  visit_one({"learning_rate", "at the start", 0, 1000, is_trained}, trial.learning_rate);
  visit_one({"learning_rate_scaling",
             "with batch_size over the loss's released one (contrastive 32, rotation 64)", 0, 0,
             is_trained},
            trial.learning_rate_scaling);
  visit_one({"schedule", "of the learning rate over the epochs", 0, 0, is_trained}, trial.schedule);
  visit_one({"momentum", "of SGD, without Nesterov", 0, 1, is_trained}, trial.momentum);
  visit_one({"weight_decay", "on all parameters, batch norm's too", 0, 10, is_trained},
            trial.weight_decay);
  visit_one({"depth", "layers of the ResNet: 10, 18 or 34", 10, 34}, trial.depth);
  visit_one({"width", "multiplies the ResNet's channels; the stem keeps 64", 1.0 / 64, 16},
            trial.width);
  visit_one({"head_layers",
             "head_width-wide layers between pool and output; under rotation 0 is RotNet", 0, 64},
            trial.head_layers);
  visit_one({"head_width", "", 1, 65536, [](const Trial& t) { return t.head_layers > 0; }},
            trial.head_width);
  visit_one({"embedding", "width of the contrastive head's output", 1, 65536, is_contrastive},
            trial.embedding);
  visit_one({"precision", "arithmetic of the network; CPUs have fp32 alone"}, trial.precision);
  visit_one({"train_limit", "train rows taken of the class; 0 is all", 0, big}, trial.train_limit);
  visit_one({"validation",
             "holds a tenth of the class's train rows out, and scores them against as many train "
             "rows of other classes as split 'validation'"},
            trial.validation);
  visit_one({"extra", "an object that means something to another program given as --worker"},
            trial.extra);
}

// The names of all fields, in the order of visit_fields.
const std::vector<std::string>& field_names();

// A field's value as JSON; null where the field does not apply. Throws UsageError for no field.
nlohmann::json value_of(const Trial& trial, std::string_view field);

// Throws UsageError, without the field's name, when the value has the wrong type, name or range.
void set_field(Trial& trial, std::string_view field, const nlohmann::json& value);

// A value as trials hold it, however a user wrote it as text: "jitter_b.4" is "jitter_b0.4". What
// is no text field's value stays as it is.
std::string as_held(std::string_view field, const std::string& written);

// What set_field does, with the value read once: setting a million trials costs no parsing.
class Setting {
 public:
  Setting(std::string_view field, const nlohmann::json& value);
  const std::string& field() const { return field_; }
  void apply(Trial& trial) const;
  // Whether the trial has this value; a field that does not apply has none.
  bool matches(const Trial& trial) const;

 private:
  std::string field_;
  std::size_t index_;  // in visit_fields
  Trial donor_;        // holds the value in its member
};

// Fields that do not apply at their defaults, the class as an index. Throws UsageError for a class
// that the data set does not have.
Trial canonical(Trial trial);

// Throws UsageError, naming the combination, when a canonical trial could not run anywhere.
void check(const Trial& trial);

// Why a canonical trial's training may teach little, for its owner to hear; empty where nothing is
// known against it.
std::string doubt_about(const Trial& trial);

// Like check() when it could not run on a GPU, or a CPU. What another program does there is not
// known: trials with extra fields pass.
void check_on_gpu(const Trial& trial);
void check_on_cpu(const Trial& trial);

// All fields of a canonical trial; null where a field does not apply.
nlohmann::json to_json(const Trial& trial);
// The inverse; a missing or null field takes its default.
Trial trial_from_json(const nlohmann::json& config);

// What the id hashes: keys-sorted, space-free JSON of dataset, class, seed, loss and the fields
// that differ from their defaults; reals as the shortest text that reads back.
std::string identity(const Trial& trial);
// XXH3-64 over identity(), and as the 16 hex digits that name the trial everywhere; the trial must
// be canonical.
std::uint64_t id_number(const Trial& trial);
std::string id_text(std::uint64_t number);
std::string id_of(const Trial& trial);

// The trial's data set as its class has it: as facts() knows or `source` tells.
struct TaskFacts {
  std::int64_t train_rows, test_rows;  // of the class, before validation; of all classes
  std::int64_t side;
};
TaskFacts task_facts(const Trial& trial);

// How far a trial trains.
struct Budget {
  std::int64_t rows;             // of the enlarged train set
  std::int64_t steps_per_epoch;  // floor(rows / batch_size)
  std::int64_t epochs;           // the last one may be cut short by `steps`
  std::int64_t steps;            // updates in all
};
std::int64_t copies(DistributionAugmentation augmentation);  // 1..8 rows a source image
std::int64_t train_rows(const Trial& trial);                 // before distribution augmentation
// Inliers that `validation` holds out of a class of so many train rows: those past the first
// int(0.9 n) of a permutation (data/cifar.py:202-221 of the released code). As many outliers come
// beside them.
std::int64_t validation_inliers(const Trial& trial, std::int64_t class_rows);
Budget budget(const Trial& trial);

// Rows of a batch that a contrastive loss compares with each other: all, or with `negatives` as
// many as give each anchor that number (one-directional: a row is one negative; symmetric: two).
std::int64_t rows_compared(const Trial& trial);

// Images that one step sends through the network: 2 (contrastive) or 4 (rotation) views a row.
std::int64_t images_per_step(const Trial& trial);

}  // namespace occam
