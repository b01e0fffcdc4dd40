#include "experiments/trial.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "experiments/number.h"
#include "experiments/received_json.h"
#include "experiments/visit_pairs.h"

namespace occam {

using nlohmann::json;

template <>
std::span<const std::string_view> names_of<Loss>() {
  static constexpr std::string_view names[] = {"contrastive", "rotation", "contrastive-symmetric"};
  return names;
}
template <>
std::span<const std::string_view> names_of<DistributionAugmentation>() {
  static constexpr std::string_view names[] = {"none", "rotation", "hflip", "vflip", "2", "3",
                                               "4",    "5",        "6",     "7",     "8"};
  return names;
}
template <>
std::span<const std::string_view> names_of<LearningRateScaling>() {
  static constexpr std::string_view names[] = {"none", "linear", "sqrt"};
  return names;
}
template <>
std::span<const std::string_view> names_of<Schedule>() {
  static constexpr std::string_view names[] = {"cosine", "constant", "step"};
  return names;
}
template <>
std::span<const std::string_view> names_of<Precision>() {
  static constexpr std::string_view names[] = {"fp32", "tf32", "bf16"};
  return names;
}

namespace {

const Trial kDefaults;

[[noreturn]] void wrong_type(const json& value, std::string_view wanted) {
  throw UsageError(value.dump(-1, ' ', false, json::error_handler_t::replace) + " is not " +
                   std::string(wanted));
}

template <class Number>
void check_range(const FieldFacts& facts, const json& value) {
  const auto number = value.get<double>();
  if (!(number >= facts.least && number <= facts.most))
    throw UsageError((value.is_number_integer() ? value.dump() : spelled(number)) + " is not in " +
                     spelled(static_cast<Number>(facts.least)) + ".." +
                     spelled(static_cast<Number>(facts.most)));
}

bool is_integer(const json& value) {
  return value.is_number_integer() &&
         !(value.is_number_unsigned() && value.get<std::uint64_t>() > (1ULL << 62));
}

// One overload a type of member: reading and writing it as JSON.
void read(const FieldFacts& facts, const json& value, std::int64_t& member) {
  if (!value.is_number()) wrong_type(value, "an integer");
  const auto number = value.get<double>();  // 16.0, as programs write it, is 16
  if (number != std::trunc(number)) wrong_type(value, "an integer");
  check_range<std::int64_t>(facts, value);
  member = value.get<std::int64_t>();
}

void read(const FieldFacts& facts, const json& value, double& member) {
  if (!value.is_number()) wrong_type(value, "a number");
  check_range<double>(facts, value);
  member = value.get<double>() + 0.0;  // -0 would be another id
}

// What was found of a folder of images.
SourceImages found_images(const json& value) {
  constexpr std::int64_t kMost = 1'000'000'000;
  try {
    SourceImages found{value.at("name"), value.at("content"), integer_at(value, "train_rows"),
                       integer_at(value, "test_rows"), integer_at(value, "side")};
    for (const std::int64_t size : {found.train_rows, found.test_rows, found.side})
      if (size < 0 || size > kMost)
        throw Error(std::to_string(size) + " is no number of images or pixels");
    return found;
  } catch (const std::exception& problem) {
    throw UsageError(problem.what());
  }
}

// A name, as a spec has it, or what it was found to hold.
void read(const FieldFacts&, const json& value, SourceImages& member) {
  if (value.is_string())
    member = {value.get<std::string>(), "", 0, 0, 0};
  else if (value.is_object())
    member = found_images(value);
  else
    wrong_type(value, "the name of a folder");
  if (member.name.empty() || member.name.front() == '.' ||
      member.name.find('/') != std::string::npos)
    throw UsageError("'" + member.name + "' is not the name of a folder below --data");
}

void read(const FieldFacts&, const json& value, bool& member) {
  if (!value.is_boolean()) wrong_type(value, "true or false");
  member = value.get<bool>();
}

void read(const FieldFacts&, const json& value, ExtraFields& member) {
  if (!value.is_object()) wrong_type(value, "an object");
  member.text = value.dump();
}

void read(const FieldFacts&, const json& value, AugmentationSet& member) {
  if (!value.is_string()) wrong_type(value, "a string of augmentations");
  member = AugmentationSet(value.get_ref<const std::string&>());
}

void read(const FieldFacts&, const json& value, InlierClass& member) {
  if (value.is_string())
    member = value.get<std::string>();
  else if (is_integer(value))
    member = value.get<std::int64_t>();
  else
    wrong_type(value, "a class: an index or a name");
}

// The first k of the flips of the rotations may be given as a number; the first alone is no change.
void read(const FieldFacts&, const json& value, DistributionAugmentation& member) {
  const std::string name = value.is_number_integer() ? value.dump()
                           : value.is_string()       ? value.get<std::string>()
                                                     : "";
  if (name.empty()) wrong_type(value, "a name or a number from 1 to 8");
  member = name == "1" ? DistributionAugmentation::none : from_name<DistributionAugmentation>(name);
}

template <class Enum>
requires std::is_enum_v<Enum>
void read(const FieldFacts&, const json& value, Enum& member) {
  if (!value.is_string()) wrong_type(value, "one of: " + joined(all_names<Enum>()));
  member = from_name<Enum>(value.get_ref<const std::string&>());
}

template <class Member>
json written(const Member& member) {
  if constexpr (std::is_enum_v<Member>)
    return to_string(member);
  else if constexpr (std::is_same_v<Member, AugmentationSet>)
    return member.text();
  else if constexpr (std::is_same_v<Member, SourceImages>)
    // Images of no name have not been looked up yet.
    return member.content.empty() ? (member.name.empty() ? json() : json(member.name))
                                  : json{{"name", member.name},
                                         {"content", member.content},
                                         {"train_rows", member.train_rows},
                                         {"test_rows", member.test_rows},
                                         {"side", member.side}};
  else if constexpr (std::is_same_v<Member, ExtraFields>)
    return json::parse(member.text);
  else if constexpr (std::is_same_v<Member, InlierClass>)
    return std::visit([](const auto& inlier) { return json(inlier); }, member);
  else
    return member;
}

// As JSON text, made without a json: a sweep's expansion spends its time here.
std::string in_identity(std::int64_t value) { return std::to_string(value); }
std::string in_identity(bool value) { return value ? "true" : "false"; }
std::string in_identity(const SourceImages& source) { return json(source.content).dump(); }
std::string in_identity(const ExtraFields& extra) { return extra.text; }
std::string in_identity(double value) { return shortest(value); }
std::string in_identity(const std::string& text) { return json(text).dump(); }
std::string in_identity(const AugmentationSet& set) { return "\"" + set.text() + "\""; }
std::string in_identity(const InlierClass& inlier) {
  return std::visit([](const auto& value) { return in_identity(value); }, inlier);
}
template <class Enum>
requires std::is_enum_v<Enum> std::string in_identity(Enum value) {
  return "\"" + to_string(value) + "\"";
}

void check_field_name(std::string_view field) {
  const auto& names = field_names();
  if (std::find(names.begin(), names.end(), field) == names.end())
    throw UsageError("'" + std::string(field) + "' is no field of a trial" +
                     did_you_mean(field, names));
}

bool always_in_identity(std::string_view field) {
  return field == "dataset" || field == "class" || field == "seed" || field == "loss";
}

}  // namespace

const std::vector<std::string>& field_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    visit_fields(kDefaults,
                 [&](const FieldFacts& facts, const auto&) { all.emplace_back(facts.name); });
    return all;
  }();
  return names;
}

json value_of(const Trial& trial, std::string_view field) {
  check_field_name(field);
  json value;
  visit_fields(trial, [&](const FieldFacts& facts, const auto& member) {
    if (facts.name != field || !facts.applies(trial)) return;
    value = written(member);
    if (!facts.shown.empty() && value.is_object()) value = json(value.at(std::string(facts.shown)));
  });
  return value;
}

void set_field(Trial& trial, std::string_view field, const json& value) {
  check_field_name(field);
  visit_fields(trial, [&](const FieldFacts& facts, auto& member) {
    if (facts.name == field) read(facts, value, member);
  });
}

std::string as_held(std::string_view field, const std::string& written) {
  Trial trial;
  try {
    set_field(trial, field, written);
  } catch (const UsageError&) {
    return written;
  }
  const json held = value_of(trial, field);
  return held.is_string() ? held.get<std::string>() : written;
}

Setting::Setting(std::string_view field, const json& value) : field_(field) {
  set_field(donor_, field, value);
  const auto& names = field_names();
  index_ = static_cast<std::size_t>(std::find(names.begin(), names.end(), field) - names.begin());
}

void Setting::apply(Trial& trial) const {
  std::size_t at = 0;
  visit_pairs(trial, donor_, [&](const FieldFacts&, auto& member, const auto& value) {
    if (at++ == index_) member = value;
  });
}

bool Setting::matches(const Trial& trial) const {
  if (field_ == "class") {
    const auto wanted = find_class(trial.dataset, donor_.inlier);
    return wanted && wanted == find_class(trial.dataset, trial.inlier);
  }
  bool same = false;
  std::size_t at = 0;
  visit_pairs(trial, donor_, [&](const FieldFacts& facts, const auto& member, const auto& value) {
    if (at++ == index_) same = facts.applies(trial) && member == value;
  });
  return same;
}

Trial canonical(Trial trial) {
  trial.inlier = class_index(trial.dataset, trial.inlier);
  const Trial given = trial;
  visit_pairs(trial, kDefaults, [&](const FieldFacts& facts, auto& member, const auto& fallback) {
    if (!facts.applies(given)) member = fallback;
  });
  return trial;
}

namespace {

[[noreturn]] void refuse(const Trial& trial, const std::string& why) {
  throw UsageError("this combination cannot run: " + why + "\n  in " + identity(trial));
}

}  // namespace

void check_on_gpu(const Trial& trial) {
  if (!is_trained(trial) || trial.extra != ExtraFields{}) return;
  // What a thread reads at once.
  const std::int64_t together = trial.precision == Precision::bf16 ? 8 : 4;
  const auto channels = static_cast<std::int64_t>(trial.width * 64);
  if (channels % together != 0)
    refuse(trial, "width " + spelled(trial.width) + " makes " + std::to_string(channels) +
                      " channels, and on a GPU in " + to_string(trial.precision) +
                      " they are a multiple of " + std::to_string(together));
  if (trial.head_layers > 0 && trial.head_width % together != 0)
    refuse(trial, "head_width " + std::to_string(trial.head_width) + ": on a GPU in " +
                      to_string(trial.precision) + " it is a multiple of " +
                      std::to_string(together));
}

void check_on_cpu(const Trial& trial) {
  if (trial.extra == ExtraFields{} && trial.precision != Precision::fp32)
    refuse(trial, "precision " + to_string(trial.precision) +
                      " needs a GPU; on a CPU there is fp32 alone");
}

void check(const Trial& trial) {
  const auto fail = [&](const std::string& why) { refuse(trial, why); };
  if (trial.depth != 10 && trial.depth != 18 && trial.depth != 34)
    fail("depth " + std::to_string(trial.depth) + " is none of 10, 18, 34");
  if (trial.width * 64 != std::floor(trial.width * 64))
    fail("width " + spelled(trial.width) + " is no multiple of 1/64, so channels would be broken");
  if (is_read_first(trial.dataset) && trial.source.content.empty())
    fail("its images have not been looked up" +
         std::string(trial.source.name.empty() ? "; \"source\" names their folder" : ""));
  if (trial.validation && trial.dataset == Dataset::folder)
    fail("validation needs train images that are outliers, and a folder has none");
  const std::int64_t class_rows = task_facts(trial).train_rows;
  const std::int64_t held_out = validation_inliers(trial, class_rows);
  if (trial.train_limit > class_rows - held_out)
    fail("train_limit " + std::to_string(trial.train_limit) + " is more than the " +
         std::to_string(class_rows - held_out) + " train rows of a class of " +
         to_string(trial.dataset) + (held_out > 0 ? " that validation leaves" : ""));
  if (!is_trained(trial)) return;
  const Budget plan = budget(trial);
  if (plan.steps_per_epoch == 0)
    fail("batch_size " + std::to_string(trial.batch_size) + " is more than the " +
         std::to_string(plan.rows) + " train rows, so no step would be taken");
  if (trial.loss == Loss::rotation)
    for (const AugmentationOperation& one : trial.augmentations.operations())
      if (one.kind == AugmentationOperation::Kind::rotate)
        fail("rotate" + spelled(90 * one.amount) +
             " turns every image before loss rotation does, so what it learns of turned images is "
             "wrong for images as they are");
  if (is_contrastive(trial) && trial.batch_size < 2)
    fail("contrastive with batch_size 1 has no negatives");
  if (trial.loss == Loss::contrastive_symmetric && trial.negatives % 2 != 0)
    fail("negatives " + std::to_string(trial.negatives) +
         " is odd, but under contrastive-symmetric every other row is two negatives");
  if (is_contrastive(trial) && trial.batch_size % rows_compared(trial) != 0)
    fail("negatives " + std::to_string(trial.negatives) + " makes groups of " +
         std::to_string(rows_compared(trial)) + " rows, which do not divide batch_size " +
         std::to_string(trial.batch_size));
}

std::string doubt_about(const Trial& trial) {
  using Kind = AugmentationOperation::Kind;
  using Copies = DistributionAugmentation;
  if (!is_trained(trial)) return "";
  const Copies copied = trial.distribution_augmentation;
  bool hflip = copied == Copies::hflip, vflip = copied == Copies::vflip;
  for (const AugmentationOperation& one : trial.augmentations.operations()) {
    hflip |= one.kind == Kind::hflip;
    vflip |= one.kind == Kind::vflip;
    if (one.kind == Kind::jitter && one.brightness + one.contrast == 0 &&
        trial.dataset == Dataset::fashion_mnist)
      return "a jitter of saturation and hue changes nothing in fashion-mnist's images, which have "
             "one channel";
  }
  if (trial.loss != Loss::rotation) return "";
  if (copied == Copies::rotation || copies(copied) > 2)
    return "loss rotation is to tell an image's quarter turns apart, and "
           "distribution_augmentation " +
           to_string(copied) + " gives it each image in several of them";
  if (hflip && vflip)
    return "loss rotation is to tell an image's quarter turns apart, and flips both ways together "
           "are a half turn";
  return "";
}

json to_json(const Trial& trial) {
  json config = json::object();
  visit_fields(trial, [&](const FieldFacts& facts, const auto& member) {
    config[std::string(facts.name)] = facts.applies(trial) ? written(member) : json();
  });
  return config;
}

Trial trial_from_json(const json& config) {
  Trial trial;
  std::size_t known = 0;
  visit_fields(trial, [&](const FieldFacts& facts, auto& member) {
    const auto given = config.find(facts.name);
    if (given == config.end()) return;
    ++known;
    if (!given->is_null()) read(facts, *given, member);
  });
  if (known < config.size())
    for (const auto& [field, value] : config.items()) check_field_name(field);
  return trial;
}

std::string identity(const Trial& trial) {
  std::vector<std::pair<std::string_view, std::string>> parts;
  visit_pairs(trial, kDefaults,
              [&](const FieldFacts& facts, const auto& member, const auto& usual) {
                if (member == usual && !always_in_identity(facts.name)) return;
                parts.emplace_back(facts.name, in_identity(member));
              });
  std::sort(parts.begin(), parts.end());
  std::string text = "{";
  for (const auto& [name, value] : parts) {
    if (text.size() > 1) text += ',';
    text.append("\"").append(name).append("\":").append(value);
  }
  return text + "}";
}

std::uint64_t id_number(const Trial& trial) {
  const std::string text = identity(trial);
  return XXH3_64bits(text.data(), text.size());
}

std::string id_text(std::uint64_t number) { return hex(number); }

std::string id_of(const Trial& trial) { return id_text(id_number(trial)); }

std::int64_t copies(DistributionAugmentation augmentation) {
  switch (augmentation) {
    case DistributionAugmentation::none:
      return 1;
    case DistributionAugmentation::rotation:
      return 4;
    case DistributionAugmentation::hflip:
    case DistributionAugmentation::vflip:
      return 2;
    case DistributionAugmentation::k2:
    case DistributionAugmentation::k3:
    case DistributionAugmentation::k4:
    case DistributionAugmentation::k5:
    case DistributionAugmentation::k6:
    case DistributionAugmentation::k7:
    case DistributionAugmentation::k8:
      return static_cast<std::int64_t>(augmentation) -
             static_cast<std::int64_t>(DistributionAugmentation::k2) + 2;
  }
  throw std::logic_error("unknown distribution augmentation");
}

TaskFacts task_facts(const Trial& trial) {
  if (is_read_first(trial.dataset))
    return {trial.source.train_rows, trial.source.test_rows, trial.source.side};
  const DatasetFacts& known = facts(trial.dataset);
  return {known.train_rows_per_class, known.test_rows, known.side};
}

std::int64_t validation_inliers(const Trial& trial, std::int64_t class_rows) {
  return trial.validation ? class_rows - class_rows * 9 / 10 : 0;
}

std::int64_t train_rows(const Trial& trial) {
  const std::int64_t class_rows = task_facts(trial).train_rows;
  const std::int64_t rows = class_rows - validation_inliers(trial, class_rows);
  return trial.train_limit > 0 ? std::min(rows, trial.train_limit) : rows;
}

Budget budget(const Trial& trial) {
  const std::int64_t rows = train_rows(trial) * copies(trial.distribution_augmentation);
  const std::int64_t per_epoch = rows / trial.batch_size;
  if (trial.steps == 0) return {rows, per_epoch, trial.epochs, trial.epochs * per_epoch};
  const std::int64_t epochs = per_epoch > 0 ? (trial.steps + per_epoch - 1) / per_epoch : 0;
  return {rows, per_epoch, epochs, trial.steps};
}

std::int64_t rows_compared(const Trial& trial) {
  if (trial.negatives == 0) return trial.batch_size;
  return 1 + (trial.loss == Loss::contrastive_symmetric ? trial.negatives / 2 : trial.negatives);
}

std::int64_t images_per_step(const Trial& trial) {
  switch (trial.loss) {
    case Loss::contrastive:
    case Loss::contrastive_symmetric:
      return 2 * trial.batch_size;
    case Loss::rotation:
      return 4 * trial.batch_size;
  }
  throw std::logic_error("unknown loss");
}

}  // namespace occam
