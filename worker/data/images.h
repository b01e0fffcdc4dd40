#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/trial.h"

namespace occam {

// Images as bytes, n x channels x side x side, channels 1 (gray, replicated when a network sees it)
// or 3, with their labels (see is_inlier).
struct LabelledImages {
  torch::Tensor images;
  std::vector<std::int64_t> labels;
};

struct ImageData {
  LabelledImages train, test;
  std::string digest;  // of every byte that was read, 16 hex digits
};

// Reads a data set whole, or maps it where it is prepared (see images/load.h). `source` is a
// trial's: its name chooses among folders, and where it holds a content the images must be those.
// Throws Error.
ImageData load_images(Dataset dataset, const SourceImages& source,
                      const std::filesystem::path& folder, bool verify = false);

// Rows to be scored, in an order drawn by the seed, so that the first n are a random subset.
struct HeldOut {
  torch::Tensor images;                  // bytes
  std::vector<std::uint8_t> is_outlier;  // of each row
  std::vector<std::int64_t> rows;        // where each stands in its part of the data set
};

// A one-class task: train rows are inliers only; test rows of every class.
struct OneClassData {
  torch::Tensor train;  // bytes; train_limit rows drawn by the seed
  HeldOut test;         // all of the test set
  // Of a trial with `validation`, else empty: inliers that train lacks, and as many outliers from
  // the train rows of other classes, drawn by the seed (data/cifar.py:202-221 of the released code,
  // whose draw is of NumPy's seed 1 for every seed). Rows are those of the train set.
  HeldOut validation;
};
// Throws Error where the data set lacks rows that the trial needs.
OneClassData one_class(const ImageData& images, const Trial& trial);

// Bytes as what a network sees: float32 in [0, 1], three channels, no mean or deviation removed
// (data_util.py:33-42 of the released code is never called).
torch::Tensor network_input(const torch::Tensor& images);

}  // namespace occam
