#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>
#include <utility>

#include "experiments/disk.h"
#include "experiments/error.h"
#include "experiments/number.h"
#include "experiments/spec.h"

namespace occam {
namespace {

// Walks the product of a block's axes, the last axis fastest.
class Walk {
 public:
  Walk(const Block& block, const FindSource& find_source, Expansion& expansion,
       std::unordered_map<std::uint64_t, std::size_t>& position)
      : block_(block),
        find_source_(find_source),
        expansion_(expansion),
        position_(position),
        exclusion_hits_(block.exclude.size(), 0) {}

  void run() {
    Trial base;
    for (const Setting& one : block_.base) one.apply(base);
    expansion_.evaluations.push_back(block_.evaluations);
    evaluations_ = static_cast<std::int32_t>(expansion_.evaluations.size()) - 1;
    descend(base, 0, {0, block_.gpus}, block_.every_class);
    for (std::size_t i = 0; i < exclusion_hits_.size(); ++i)
      if (exclusion_hits_[i] == 0)
        expansion_.warnings.push_back(block_.exclude[i].where + ": matches no trial");
  }

 private:
  // What stands beside a trial's fields.
  struct Beside {
    std::int32_t variant, gpus;
  };

  // `every_class`: the base asks for all classes, and no axis so far for another.
  void descend(const Trial& trial, std::size_t depth, Beside beside, bool every_class) {
    if (depth == block_.axes.size()) {
      if (every_class)
        for_every_class(trial, [&](const Trial& one) { add(one, beside); });
      else
        add(trial, beside);
      return;
    }
    for (const AxisPoint& point : block_.axes[depth]) {
      Trial next = trial;
      for (const Setting& one : point.settings) one.apply(next);
      const Beside named{point.variant.empty() ? beside.variant : variant_index(point.variant),
                         point.gpus.value_or(beside.gpus)};
      if (point.every_class)
        for_every_class(next, [&](const Trial& one) { descend(one, depth + 1, named, false); });
      else
        descend(next, depth + 1, named, every_class && !sets(point, "class"));
    }
  }

  template <class Step>
  void for_every_class(Trial trial, Step step) {
    const auto count = static_cast<std::int64_t>(facts(trial.dataset).classes.size());
    for (std::int64_t index = 0; index < count; ++index) {
      trial.inlier = index;
      step(trial);
    }
  }

  void add(const Trial& given, const Beside& beside) {
    const Trial trial = checked(given);
    for (std::size_t i = 0; i < block_.exclude.size(); ++i) {
      if (!matches(block_.exclude[i], trial)) continue;
      ++exclusion_hits_[i];
      ++expansion_.excluded;
      return;
    }
    const std::int32_t gpus = is_trained(trial) ? beside.gpus : 1;
    if (gpus > 1 && trial.batch_size % gpus != 0)
      throw UsageError(block_.where + ": gpus " + std::to_string(gpus) +
                       " does not divide batch_size " + std::to_string(trial.batch_size) +
                       " into equal parts\n  in " + identity(trial));
    const std::uint64_t number = id_number(trial);
    const auto [known, is_new] = position_.try_emplace(number, expansion_.trials.size());
    if (is_new) {
      note_doubt(trial);
      expansion_.trials.push_back({trial, evaluations_, beside.variant, gpus, number});
      return;
    }
    ++expansion_.duplicates;
    name(expansion_.trials[known->second], beside.variant);
    note_gpus(expansion_.trials[known->second], gpus);
    merge_evaluations(expansion_.trials[known->second]);
  }

  Trial checked(const Trial& given) const {
    Trial trial = canonical_here(given);
    if (is_read_first(trial.dataset) && find_source_) trial.source = find_source_(trial);
    try {
      // An excluded combination need not be one that could run.
      if (std::none_of(block_.exclude.begin(), block_.exclude.end(),
                       [&](const Exclusion& one) { return matches(one, trial); }))
        check(trial);
    } catch (const UsageError& problem) {
      throw UsageError(block_.where + ": " + problem.what());
    }
    return trial;
  }

  Trial canonical_here(const Trial& given) const {
    try {
      return canonical(given);
    } catch (const UsageError& problem) {
      throw UsageError(block_.class_where + ": " + problem.what());
    }
  }

  static bool matches(const Exclusion& exclusion, const Trial& trial) {
    return std::all_of(exclusion.fields.begin(), exclusion.fields.end(), [&](const auto& values) {
      return std::any_of(values.begin(), values.end(),
                         [&](const Setting& value) { return value.matches(trial); });
    });
  }

  // A trial that is of an ablation and of a plain block keeps the ablation's name.
  void name(PlannedTrial& planned, std::int32_t variant) {
    if (variant == 0 || variant == planned.variant) return;
    if (planned.variant == 0)
      planned.variant = variant;
    else
      expansion_.warnings.push_back(
          block_.where + ": the variants '" + expansion_.variants[planned.variant] + "' and '" +
          expansion_.variants[variant] + "' are the same trial, which keeps the first name");
  }

  // A trial that several blocks name gets the evaluations of all of them.
  void merge_evaluations(PlannedTrial& planned) {
    if (planned.evaluations == evaluations_) return;
    std::vector<EvaluationRequest> both = expansion_.evaluations[planned.evaluations];
    for (const EvaluationRequest& request : block_.evaluations)
      if (std::find(both.begin(), both.end(), request) == both.end()) both.push_back(request);
    const auto known =
        std::find(expansion_.evaluations.begin(), expansion_.evaluations.end(), both);
    planned.evaluations = static_cast<std::int32_t>(known - expansion_.evaluations.begin());
    if (known == expansion_.evaluations.end()) expansion_.evaluations.push_back(both);
  }

  // Each doubt once.
  void note_doubt(const Trial& trial) {
    const std::string doubt = doubt_about(trial);
    if (!doubt.empty() && doubts_.insert(doubt).second)
      expansion_.warnings.push_back(block_.where + ": " + doubt + "\n  in " + identity(trial));
  }

  void note_gpus(const PlannedTrial& planned, std::int32_t gpus) {
    if (planned.gpus == gpus || std::exchange(told_gpus_, true)) return;
    const auto text = [](std::int32_t number) {
      return number == kAutoGpus ? std::string("auto") : std::to_string(number);
    };
    expansion_.warnings.push_back(block_.where + ": gpus " + text(planned.gpus) + " and gpus " +
                                  text(gpus) +
                                  " are asked for the same trial, which keeps the first: gpus is a "
                                  "resource and changes no number, so it makes no other trial");
  }

  std::int32_t variant_index(const std::string& name) {
    auto& variants = expansion_.variants;
    const auto known = std::find(variants.begin(), variants.end(), name);
    if (known != variants.end()) return static_cast<std::int32_t>(known - variants.begin());
    variants.push_back(name);
    return static_cast<std::int32_t>(variants.size()) - 1;
  }

  const Block& block_;
  const FindSource& find_source_;
  Expansion& expansion_;
  std::unordered_map<std::uint64_t, std::size_t>& position_;
  std::vector<std::int64_t> exclusion_hits_;
  std::int32_t evaluations_ = 0;
  std::set<std::string> doubts_;
  bool told_gpus_ = false;
};

constexpr double kMostCombinations = 1e7;

// At most so many: an axis of data sets counts with the classes of its largest.
double combinations(const Block& block) {
  Trial trial;
  for (const Setting& one : block.base) one.apply(trial);
  const auto classes = [](const Trial& one) { return facts(one.dataset).classes.size(); };
  std::size_t most_classes = classes(trial);
  bool every_class = block.every_class;
  double product = 1;
  for (const Axis& axis : block.axes) {
    product *= static_cast<double>(axis.size());
    for (const AxisPoint& point : axis) {
      every_class |= point.every_class;
      if (!sets(point, "dataset")) continue;
      for (const Setting& one : point.settings) one.apply(trial);
      most_classes = std::max(most_classes, classes(trial));
    }
  }
  return every_class ? product * static_cast<double>(most_classes) : product;
}

// A slip of the pen is answered before memory runs out.
void check_size(const Spec& spec) {
  double all = 0;
  for (const Block& block : spec.blocks) {
    all += combinations(block);
    if (all > kMostCombinations)
      throw UsageError(block.where + ": its axes make some " + shortest(std::floor(all)) +
                       " combinations; a sweep can have " + shortest(kMostCombinations));
  }
}

// Where the block asks for just these scores; a merged list is of several blocks.
std::string where_asked(const Spec& spec, const std::vector<EvaluationRequest>& requests) {
  const auto asking = std::find_if(spec.blocks.begin(), spec.blocks.end(), [&](const Block& block) {
    return block.evaluations == requests;
  });
  return asking == spec.blocks.end() ? spec.blocks.front().where : asking->evaluate_where;
}

// A trial whose training would bring no score is a mistake, and most of a sweep's time.
void check_scored(const Spec& spec, const Expansion& expansion) {
  const auto scored = [&](const PlannedTrial& planned) {
    const auto& requests = expansion.evaluations[planned.evaluations];
    return std::any_of(requests.begin(), requests.end(), [&](const EvaluationRequest& request) {
      return applies(request, planned.trial);
    });
  };
  const auto& trials = expansion.trials;
  const auto first = std::find_if_not(trials.begin(), trials.end(), scored);
  if (first == trials.end()) return;
  const auto count = static_cast<std::size_t>(
      std::count_if(first, trials.end(), [&](const PlannedTrial& one) { return !scored(one); }));
  const auto& requests = expansion.evaluations[first->evaluations];
  std::vector<std::string> names;
  bool reads_head = false;
  for (const EvaluationRequest& request : requests) {
    const std::string name = reads_logits(request.classifier) ? to_string(request.classifier)
                                                              : to_string(request.features);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    reads_head |= request.features == Features::embed;
  }
  throw UsageError(
      where_asked(spec, requests) + ": none of the scores asked for (" + joined(names) +
      ") applies to " + std::to_string(count) + (count == 1 ? " trial: " : " trials, such as ") +
      identity(first->trial) + "; the classifiers rotation and rotation-upright are for loss " +
      "rotation alone" +
      (reads_head ? ", features embed need head_layers above 0 under loss rotation" : "") +
      ", and features pool with kde, gde, nearest or an OC-SVM apply to every trial");
}

// Trials of another worker have rows that only that knows.
void check_neighbours(const Spec& spec, const Expansion& expansion) {
  std::vector<std::int64_t> most;  // by list
  for (const auto& requests : expansion.evaluations) {
    most.push_back(1);
    for (const EvaluationRequest& request : requests)
      if (request.classifier == Classifier::nearest)
        most.back() = std::max(most.back(), request.parameters.k);
  }
  for (const PlannedTrial& planned : expansion.trials) {
    const std::int64_t k = most[static_cast<std::size_t>(planned.evaluations)];
    const std::int64_t rows = std::min(train_rows(planned.trial), kMostFitRows);
    if (k <= rows || planned.trial.extra != ExtraFields{}) continue;
    const auto& requests = expansion.evaluations[static_cast<std::size_t>(planned.evaluations)];
    throw UsageError(where_asked(spec, requests) + ": nearest with k " + std::to_string(k) +
                     " has no such neighbour among the " + std::to_string(rows) +
                     " train rows that it is fitted on\n  in " + identity(planned.trial));
  }
}

}  // namespace

Expansion expand(const Spec& spec, const FindSource& find_source) {
  check_size(spec);
  Expansion expansion;
  expansion.variants = {""};
  std::unordered_map<std::uint64_t, std::size_t> position;  // by id
  for (const Block& block : spec.blocks) Walk(block, find_source, expansion, position).run();
  if (expansion.trials.empty())
    throw UsageError(spec.blocks.front().where + ": every trial is excluded, so none is left");
  check_scored(spec, expansion);
  check_neighbours(spec, expansion);
  return expansion;
}

std::vector<std::int64_t> seed_ranks(const Expansion& expansion) {
  std::unordered_map<std::uint64_t, std::int64_t> counts;  // by the cell's id
  std::vector<std::int64_t> ranks;
  ranks.reserve(expansion.trials.size());
  for (const PlannedTrial& planned : expansion.trials) {
    Trial cell = planned.trial;
    cell.seed = 0;
    ranks.push_back(counts[id_number(cell)]++);
  }
  return ranks;
}

}  // namespace occam
