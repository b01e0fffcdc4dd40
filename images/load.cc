#include "images/load.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "experiments/error.h"
#include "images/places.h"
#include "images/prepare.h"
#include "images/readers.h"

namespace occam {
namespace {

ImageSets with_digest(ImageSets sets) {
  sets.digest = digest_of(sets.train, sets.test);
  return sets;
}

}  // namespace

ImageSets load(Dataset dataset, const std::string& source, const std::filesystem::path& data,
               bool verify) {
  const std::filesystem::path folder = find_images(dataset, source, data);
  switch (dataset) {
    case Dataset::fashion_mnist:
      return with_digest(read_fashion_mnist(folder));
    case Dataset::cifar10:
      return with_digest(read_cifar10(folder));
    case Dataset::cifar20:
      return with_digest(read_cifar100(folder, Cifar100Labels::coarse));
    case Dataset::cifar100:
      return with_digest(read_cifar100(folder, Cifar100Labels::fine));
    case Dataset::cats_vs_dogs:
    case Dataset::celeba:
    case Dataset::folder:
      return read_prepared(folder, data_command("prepare", called(dataset, source), data), verify);
    case Dataset::synthetic:
      break;
  }
  throw std::logic_error(to_string(dataset) + " is not read from files");
}

std::string changed_since_prepared(Dataset dataset, const std::string& source,
                                   const std::filesystem::path& data) {
  if (!origin(dataset).is_prepared) return "";
  std::filesystem::path folder;
  std::optional<PreparedHeader> header;
  try {
    folder = find_images(dataset, source, data);
    header = read_prepared_header(folder, "");
  } catch (const Error&) {
    return "";  // whoever needs it is told
  }
  const int side = static_cast<int>(header->side);
  std::string what;
  try {
    what = changes_since(*header, folder, image_files(dataset, folder, side));
  } catch (const Error& problem) {
    what = problem.what();
  }
  if (what.empty()) return "";
  const std::string name = called(dataset, source);
  return name + ": its files have changed since they were decoded (" + what +
         "), and trials see them as they were; run: " + data_command("prepare", name, data) +
         side_option(side);
}

FindSource source_finder(const std::filesystem::path& data) {
  const auto known = std::make_shared<std::map<std::string, ImageSets>>();
  return [known, data](const Trial& trial) {
    const std::string name = called(trial.dataset, trial.source.name);
    if (name.empty())
      throw UsageError(
          "dataset folder needs \"source\", the name of the images' folder below --data");
    const std::string key = to_string(trial.dataset) + "/" + name;
    if (!known->count(key)) known->emplace(key, load(trial.dataset, name, data));
    const ImageSets& sets = known->at(key);
    const std::int64_t inlier = class_index(trial.dataset, trial.inlier);
    const auto inliers =
        std::count_if(sets.train.labels.begin(), sets.train.labels.end(),
                      [&](std::int64_t label) { return is_inlier(trial.dataset, label, inlier); });
    return SourceImages{name, sets.digest, inliers, sets.test.rows, sets.train.side};
  };
}

Expansion expand_with_images(const Spec& spec, const std::filesystem::path& data) {
  Expansion expansion = expand(spec, source_finder(data));
  std::set<std::string> seen;
  for (const PlannedTrial& planned : expansion.trials) {
    const std::string& name = planned.trial.source.name;
    if (planned.trial.dataset != Dataset::folder || !seen.insert(name).second) continue;
    std::string changed = changed_since_prepared(Dataset::folder, name, data);
    if (!changed.empty()) expansion.warnings.push_back(std::move(changed));
  }
  return expansion;
}

}  // namespace occam
