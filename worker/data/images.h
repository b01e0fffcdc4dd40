#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/trial.h"

namespace occam {

// Images as bytes, n x channels x side x side, channels 1 (gray, replicated when a network sees it)
// or 3, with their classes.
struct LabelledImages {
  torch::Tensor images;
  std::vector<std::int64_t> labels;
};

struct ImageData {
  LabelledImages train, test;
  std::string digest;  // of every byte that was read, 16 hex digits
};

// Reads a data set whole. `folder` is --data: it holds a folder of the data set's name, or its
// files. Empty: $OCCAM_DATA, then $XDG_DATA_HOME/occam, then where distributions put it. Throws
// Error that names the file, or the places that were looked in and how to get the data.
ImageData load_images(Dataset dataset, const std::filesystem::path& folder);

// Where the data set's files are, or nothing; costs no reading.
std::filesystem::path find_images(Dataset dataset, const std::filesystem::path& folder);

// A one-class task: train rows are inliers only; test rows of every class.
struct OneClassData {
  torch::Tensor train;  // bytes; train_limit rows drawn by the seed
  torch::Tensor test;   // bytes, in an order drawn by the seed, so that the first n
                        // rows are a random subset
  std::vector<std::uint8_t> is_outlier;  // of test rows
};
OneClassData one_class(const ImageData& images, const Trial& trial);

// Bytes as what a network sees: float32 in [0, 1], three channels, no mean or deviation removed
// (data_util.py:33-42 of the released code is never called).
torch::Tensor network_input(const torch::Tensor& images);

}  // namespace occam
