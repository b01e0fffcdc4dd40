#include "worker/evaluate/chunks.h"

#include <sys/mman.h>

#include <cstddef>
#include <memory>

namespace occam {
namespace {

constexpr std::int64_t kCpuEntries = 1LL << 17;  // 1 MB of double
constexpr std::int64_t kGpuEntries = 1LL << 25;  // 256 MB

}  // namespace

std::int64_t rows_at_a_time(torch::Device device, std::int64_t width, std::int64_t least) {
  const std::int64_t entries = device.is_cuda() ? kGpuEntries : kCpuEntries;
  return std::max(least, entries / std::max<std::int64_t>(1, width));
}

torch::Tensor large_matrix(std::int64_t rows, std::int64_t columns, torch::Device device) {
  torch::Tensor matrix = at::empty({rows, columns}, at::device(device).dtype(torch::kFloat));
  if (device.is_cpu()) {
    constexpr std::size_t kPage = std::size_t{2} << 20;
    void* first = matrix.mutable_data_ptr();
    std::size_t bytes = matrix.nbytes();
    // A hint, without which all works. Small pages cost half of the time that a product takes.
    if (std::align(kPage, kPage, first, bytes))
      madvise(first, bytes / kPage * kPage, MADV_HUGEPAGE);
  }
  return matrix;
}

std::int64_t tile_side(torch::Device device) { return device.is_cuda() ? 8192 : 1024; }

}  // namespace occam
