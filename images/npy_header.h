#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace occam {

// What a .npy file says before its numbers
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, version 1.0).
struct NpyHeader {
  std::string kind;                 // NumPy's: "<f4", "|u1", "<i8", …
  std::vector<std::int64_t> sizes;  // C order; at most 2^56 numbers
  std::size_t bytes;                // of preamble and header: where the numbers begin
};

// From the first bytes of a file. Throws Error, without the file's name, for what is no such file,
// is in Fortran order, or whose header does not end inside `start`.
NpyHeader read_npy_header(const std::string& start);

// The header of a file of such numbers; its length is a multiple of 64.
std::string npy_header(const std::string& kind, const std::vector<std::int64_t>& sizes);

}  // namespace occam
