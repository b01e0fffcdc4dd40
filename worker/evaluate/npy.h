#pragma once

#include <torch/types.h>

#include <filesystem>

namespace occam {

// A tensor of float32, uint8 or int64 as a .npy file in C order, as numpy.load reads it. Throws
// Error if the file cannot be written.
void write_npy(const std::filesystem::path& path, const torch::Tensor& tensor);

// A file of float32, uint8 or int64 in C order, as write_npy and numpy.save write it; else Error.
torch::Tensor read_npy(const std::filesystem::path& path);

}  // namespace occam
