#include "experiments/dataset.h"

#include <algorithm>

namespace occam {

template <>
std::span<const std::string_view> names_of<Dataset>() {
  static constexpr std::string_view names[] = {"fashion-mnist", "synthetic"};
  return names;
}

const DatasetFacts& facts(Dataset dataset) {
  static const DatasetFacts fashion_mnist{{"t-shirt", "trouser", "pullover", "dress", "coat",
                                           "sandal", "shirt", "sneaker", "bag", "ankle-boot"},
                                          6000,
                                          10000,
                                          32};
  static const DatasetFacts synthetic{{"upright", "left", "upside-down", "right"}, 1024, 1024, 32};
  switch (dataset) {
    case Dataset::fashion_mnist:
      return fashion_mnist;
    case Dataset::synthetic:
      return synthetic;
  }
  throw std::logic_error("unknown dataset");
}

std::optional<std::int64_t> find_class(Dataset dataset, const InlierClass& inlier) {
  const std::vector<std::string>& classes = facts(dataset).classes;
  const auto count = static_cast<std::int64_t>(classes.size());
  if (const auto* index = std::get_if<std::int64_t>(&inlier))
    return *index >= 0 && *index < count ? std::optional(*index) : std::nullopt;
  const auto found = std::find(classes.begin(), classes.end(), std::get<std::string>(inlier));
  return found != classes.end() ? std::optional(found - classes.begin()) : std::nullopt;
}

std::int64_t class_index(Dataset dataset, const InlierClass& inlier) {
  if (const auto found = find_class(dataset, inlier)) return *found;
  const std::vector<std::string>& classes = facts(dataset).classes;
  if (const auto* index = std::get_if<std::int64_t>(&inlier))
    throw UsageError("class " + std::to_string(*index) + " is not in 0.." +
                     std::to_string(classes.size() - 1) + ", the classes of " + to_string(dataset));
  const std::string& name = std::get<std::string>(inlier);
  throw UsageError("'" + name + "' is no class of " + to_string(dataset) +
                   ", which has: " + joined(classes) + did_you_mean(name, classes));
}

}  // namespace occam
