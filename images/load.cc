#include "images/load.h"

#include <algorithm>
#include <map>
#include <memory>

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
      return read_prepared(dataset, folder, verify);
    case Dataset::synthetic:
      break;
  }
  throw std::logic_error(to_string(dataset) + " is not read from files");
}

FindSource source_finder(const std::filesystem::path& data) {
  const auto known = std::make_shared<std::map<std::string, ImageSets>>();
  return [known, data](const Trial& trial) {
    const std::string name =
        trial.dataset == Dataset::folder ? trial.source.name : to_string(trial.dataset);
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

}  // namespace occam
