#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <vector>

namespace occam {

// What the classifiers of a trial see, for other programs: train.npy and test.npy (float32, rows x
// features, C order) and is_outlier.npy (uint8, of test rows). Makes the folder. Throws Error if a
// file cannot be written.
void export_features(const std::filesystem::path& folder, const torch::Tensor& train,
                     const torch::Tensor& test, const std::vector<std::uint8_t>& is_outlier);

// A file of float32 or uint8 in C order, as export_features and numpy.save write it; else Error.
torch::Tensor read_npy(const std::filesystem::path& path);

}  // namespace occam
