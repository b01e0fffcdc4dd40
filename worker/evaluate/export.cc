#include "worker/evaluate/export.h"

#include <ATen/ATen.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <regex>
#include <string>
#include <system_error>

#include "experiments/error.h"

namespace occam {
namespace {

// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0: magic, a
// two-byte little-endian length, a Python dict as text that ends on a multiple of 64 bytes, data.
const std::string kMagic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kPreamble = 10;

std::string header(const torch::Tensor& tensor) {
  std::string shape;
  for (const std::int64_t size : tensor.sizes()) shape += std::to_string(size) + ", ";
  std::string text = "{'descr': '" +
                     std::string(tensor.scalar_type() == torch::kFloat ? "<f4" : "|u1") +
                     "', 'fortran_order': False, 'shape': (" + shape + "), }";
  text.append(63 - (kPreamble + text.size()) % 64, ' ');
  text += '\n';
  const std::size_t length = text.size();
  return kMagic + static_cast<char>(length & 0xFF) + static_cast<char>(length >> 8) + text;
}

void write_npy(const std::filesystem::path& path, const torch::Tensor& tensor) {
  const torch::Tensor data = tensor.detach().cpu().contiguous();
  std::ofstream file(path, std::ios::binary);
  file << header(data);
  file.write(static_cast<const char*>(data.const_data_ptr()),
             static_cast<std::streamsize>(data.nbytes()));
  if (!file.flush()) throw Error(path.string() + ": cannot be written: " + std::strerror(errno));
}

}  // namespace

void export_features(const std::filesystem::path& folder, const torch::Tensor& train,
                     const torch::Tensor& test, const std::vector<std::uint8_t>& is_outlier) {
  assert(train.scalar_type() == torch::kFloat && test.scalar_type() == torch::kFloat);
  std::error_code problem;
  std::filesystem::create_directories(folder, problem);
  if (problem) throw Error(folder.string() + ": cannot be made: " + problem.message());
  write_npy(folder / "train.npy", train);
  write_npy(folder / "test.npy", test);
  torch::Tensor flags = at::empty({static_cast<std::int64_t>(is_outlier.size())}, torch::kUInt8);
  std::copy(is_outlier.begin(), is_outlier.end(), flags.mutable_data_ptr<std::uint8_t>());
  write_npy(folder / "is_outlier.npy", flags);
}

torch::Tensor read_npy(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(path.string() + ": cannot be read: " + std::strerror(errno));
  std::string preamble(kPreamble, '\0');
  file.read(preamble.data(), kPreamble);
  if (!file || preamble.substr(0, kMagic.size()) != kMagic)
    throw Error(path.string() + ": is not a .npy file of version 1.0");
  std::string text(
      static_cast<unsigned char>(preamble[8]) + 256U * static_cast<unsigned char>(preamble[9]),
      '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));

  static const std::regex pattern(
      "\\{'descr': '(<f4|\\|u1)', 'fortran_order': False, 'shape': \\(([0-9, ]*)\\), \\}\\s*");
  std::smatch match;
  if (!std::regex_match(text, match, pattern))
    throw Error(path.string() + ": holds " + text + ", not float32 or uint8 in C order");
  std::vector<std::int64_t> sizes;
  static const std::regex number("[0-9]+");
  const std::string shape = match[2];
  for (std::sregex_iterator size(shape.begin(), shape.end(), number), end; size != end; ++size)
    sizes.push_back(std::stoll(size->str()));

  torch::Tensor tensor = at::empty(sizes, match[1] == "<f4" ? torch::kFloat : torch::kUInt8);
  file.read(static_cast<char*>(tensor.mutable_data_ptr()),
            static_cast<std::streamsize>(tensor.nbytes()));
  if (!file) throw Error(path.string() + ": ends before its " + match[2].str() + " numbers do");
  return tensor;
}

}  // namespace occam
