#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace occam {

// The sizes and the bytes of an IDX file.
struct IdxArray {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> bytes;
};

// One file of unsigned bytes in the IDX format of MNIST and its kin (big-endian magic 0x0000 08
// ndim, sizes, bytes), gzip'd or plain. Throws Error naming the file when it is truncated, too
// long, or no such file.
IdxArray read_idx(const std::filesystem::path& path);

}  // namespace occam
