#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace occam {

// Images as bytes, rows x channels x side x side, channels 1 (gray) or 3, each with a label. The
// bytes may be those of a file that many processes map; nobody writes them.
struct ImageSet {
  std::int64_t rows = 0, channels = 0, side = 0;
  std::shared_ptr<const std::uint8_t> bytes;
  std::vector<std::int64_t> labels;  // see is_inlier in experiments/dataset.h

  std::int64_t row_bytes() const { return channels * side * side; }
};

// A data set as its classes' rows come.
struct ImageSets {
  ImageSet train, test;
  std::string
      digest;  // XXH3-64 of train images, train labels, test images, test labels, as 16 hex digits
};

// Bytes of one's own as an ImageSet's.
std::shared_ptr<const std::uint8_t> owned(std::vector<std::uint8_t> bytes);

// The digest of what is in memory.
std::string digest_of(const ImageSet& train, const ImageSet& test);

}  // namespace occam
