#include "worker/data/images.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "experiments/error.h"
#include "images/load.h"
#include "worker/data/order.h"
#include "worker/data/synthetic.h"

namespace occam {
namespace {

// A view of the same bytes, which live as long as it does. Nobody may write them: they may be a
// file.
LabelledImages as_tensor(const ImageSet& set) {
  const auto held = set.bytes;
  return {torch::from_blob(
              const_cast<std::uint8_t*>(held.get()), {set.rows, set.channels, set.side, set.side},
              [held](void*) {}, torch::kUInt8),
          set.labels};
}

using Rows = std::vector<std::int64_t>;

std::int64_t rows_in(const Rows& rows) { return static_cast<std::int64_t>(rows.size()); }

torch::Tensor rows_at(const torch::Tensor& images, const Rows& rows) {
  return images.index_select(0, torch::tensor(rows, torch::kInt64));
}

// The rows in an order that the seed draws.
Rows drawn(const Rows& rows, std::int64_t seed, Purpose purpose, std::int64_t stream) {
  Rows some;
  for (std::int64_t at : permutation(rows_in(rows), seed, purpose, stream))
    some.push_back(rows[at]);
  return some;
}

HeldOut held(const LabelledImages& part, Rows rows, Dataset dataset, std::int64_t inlier) {
  HeldOut made{rows_at(part.images, rows), {}, {}};
  for (std::int64_t row : rows)
    made.is_outlier.push_back(!is_inlier(dataset, part.labels[row], inlier));
  made.rows = std::move(rows);
  return made;
}

}  // namespace

ImageData load_images(Dataset dataset, const SourceImages& source,
                      const std::filesystem::path& folder, bool verify) {
  if (dataset == Dataset::synthetic) return synthetic_images();
  const ImageSets sets = load(dataset, source.name, folder, verify);
  if (!source.content.empty() && source.content != sets.digest)
    throw Error(source.name + ": its images are no longer those that were planned with (digest " +
                sets.digest + ", not " + source.content + "); plan again, with `occam run`");
  return {as_tensor(sets.train), as_tensor(sets.test), sets.digest};
}

OneClassData one_class(const ImageData& images, const Trial& trial) {
  const std::int64_t inlier = class_index(trial.dataset, trial.inlier);
  Rows train, others;
  for (std::size_t i = 0; i < images.train.labels.size(); ++i)
    (is_inlier(trial.dataset, images.train.labels[i], inlier) ? train : others)
        .push_back(static_cast<std::int64_t>(i));
  const std::int64_t held_out = validation_inliers(trial, rows_in(train));
  const std::int64_t wanted = train_rows(trial);
  if (wanted > rows_in(train) - held_out)
    throw Error(to_string(trial.dataset) + ": holds " + std::to_string(rows_in(train)) +
                " train rows of class " + std::to_string(inlier) + ", not the expected " +
                std::to_string(wanted + held_out));
  OneClassData data;
  if (held_out > 0) {
    if (rows_in(others) < held_out)
      throw Error(to_string(trial.dataset) + ": validation needs " + std::to_string(held_out) +
                  " train rows of other classes; there are " + std::to_string(rows_in(others)));
    const Rows inliers = drawn(train, trial.seed, Purpose::validation, 0);
    const Rows outliers = drawn(others, trial.seed, Purpose::validation, 1);
    const auto first_out = inliers.end() - held_out;
    train.assign(inliers.begin(), first_out);
    std::sort(train.begin(), train.end());
    Rows rows(first_out, inliers.end());
    rows.insert(rows.end(), outliers.begin(), outliers.begin() + held_out);
    data.validation =
        held(images.train, drawn(rows, trial.seed, Purpose::validation, 2), trial.dataset, inlier);
  }
  if (wanted < rows_in(train)) {
    train = drawn(train, trial.seed, Purpose::train_subset, 0);
    train.resize(static_cast<std::size_t>(wanted));
    std::sort(train.begin(), train.end());
  }
  data.train = rows_at(images.train.images, train);
  data.test =
      held(images.test, permutation(rows_in(images.test.labels), trial.seed, Purpose::test_subset),
           trial.dataset, inlier);
  return data;
}

torch::Tensor network_input(const torch::Tensor& images) {
  const torch::Tensor unit = images.to(torch::kFloat32).div_(255);
  return unit.expand({unit.size(0), 3, unit.size(2), unit.size(3)});
}

}  // namespace occam
