#include "worker/evaluate/npy.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "experiments/error.h"
#include "images/npy_header.h"

namespace occam {
namespace {

struct Kind {
  const char* name;  // NumPy's, little-endian
  torch::ScalarType type;
};
constexpr Kind kKinds[] = {{"<f4", torch::kFloat}, {"|u1", torch::kUInt8}, {"<i8", torch::kInt64}};

}  // namespace

void write_npy(const std::filesystem::path& path, const torch::Tensor& tensor) {
  const torch::Tensor data = tensor.detach().cpu().contiguous();
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const Kind& one) { return one.type == data.scalar_type(); });
  assert(kind != std::end(kKinds));
  std::ofstream file(path, std::ios::binary);
  file << npy_header(kind->name, data.sizes().vec());
  file.write(static_cast<const char*>(data.const_data_ptr()),
             static_cast<std::streamsize>(data.nbytes()));
  if (!file.flush()) throw Error(path.string() + ": cannot be written: " + std::strerror(errno));
}

torch::Tensor read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path.string() + ": cannot be read: " + std::strerror(errno));
  std::string start(4096, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  try {
    const NpyHeader header = read_npy_header(start);
    const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                    [&](const Kind& one) { return header.kind == one.name; });
    if (kind == std::end(kKinds))
      throw Error("holds " + header.kind + ", not float32, uint8 or int64");
    torch::Tensor tensor = at::empty(header.sizes, kind->type);
    file.clear();
    file.seekg(static_cast<std::streamoff>(header.bytes));
    file.read(static_cast<char*>(tensor.mutable_data_ptr()),
              static_cast<std::streamsize>(tensor.nbytes()));
    if (!file) throw Error("ends before its numbers do");
    return tensor;
  } catch (const Error& problem) {
    throw Error(path.string() + ": " + problem.what());
  }
}

}  // namespace occam
