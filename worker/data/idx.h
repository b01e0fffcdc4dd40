#pragma once

#include <torch/types.h>

#include <filesystem>

namespace occam {

// One file of unsigned bytes in the IDX format of MNIST and its kin (big-endian magic 0x0000 08
// ndim, sizes, bytes), gzip'd or plain. Throws Error naming the file when it is truncated, too
// long, or no such file.
torch::Tensor read_idx(const std::filesystem::path& path);

}  // namespace occam
