#include "images/npy_header.h"

#include <algorithm>
#include <regex>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

// Magic, a two-byte little-endian length, a Python dict as text that ends on a multiple of 64
// bytes.
const std::string kMagic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kPreamble = 10;
constexpr std::int64_t kMostNumbers = 1LL << 56;

}  // namespace

NpyHeader read_npy_header(const std::string& start) {
  if (start.size() < kPreamble || start.substr(0, kMagic.size()) != kMagic)
    throw Error("is not a .npy file of version 1.0");
  const std::size_t length =
      static_cast<unsigned char>(start[8]) + 256U * static_cast<unsigned char>(start[9]);
  if (start.size() < kPreamble + length) throw Error("ends before its header does");
  const std::string text = start.substr(kPreamble, length);
  static const std::regex pattern(
      "\\{'descr': '([<|=][a-z][0-9]+)', 'fortran_order': False, 'shape': \\(([0-9, ]*)\\), "
      "\\}\\s*");
  std::smatch match;
  if (!std::regex_match(text, match, pattern))
    throw Error("holds " + text.substr(0, std::min<std::size_t>(200, text.find_last_of('}') + 1)) +
                ", not plain numbers in C order, as numpy.ascontiguousarray makes them");
  NpyHeader header{match[1], {}, kPreamble + length};
  static const std::regex number("[0-9]+");
  const std::string shape = match[2];
  std::int64_t most = kMostNumbers;
  for (std::sregex_iterator found(shape.begin(), shape.end(), number), end; found != end; ++found) {
    std::int64_t size = 0;
    if (!read_number(found->str(), size) || size > most)
      throw Error("claims to hold more numbers than any file: " + shape.substr(0, 200));
    most /= std::max<std::int64_t>(size, 1);
    header.sizes.push_back(size);
  }
  return header;
}

std::string npy_header(const std::string& kind, const std::vector<std::int64_t>& sizes) {
  std::string shape;
  for (const std::int64_t size : sizes) shape += std::to_string(size) + ", ";
  std::string text =
      "{'descr': '" + kind + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  text.append(63 - (kPreamble + text.size()) % 64, ' ');
  text += '\n';
  const std::size_t length = text.size();
  return kMagic + static_cast<char>(length & 0xFF) + static_cast<char>(length >> 8) + text;
}

}  // namespace occam
