#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace occam {

// What a SQLite file begins with, and where in it big-endian numbers lie:
// https://www.sqlite.org/fileformat2.html#the_database_header
inline constexpr std::string_view kMagic("SQLite format 3\0", 16);
inline constexpr std::size_t kHeaderBytes = 100;
// Of two bytes, the next two of one and the others of four.
inline constexpr std::size_t kPageBytes = 16, kWriteVersion = 18, kReservedBytes = 20,
                             kChangeCounter = 24, kPages = 28, kFirstFree = 32, kSchemaCookie = 40,
                             kUserVersion = 60, kApplication = 68;

// Bytes behind the end count as zeros.
inline std::uint64_t number_at(const std::string& bytes, std::size_t at, std::size_t count) {
  std::uint64_t number = 0;
  for (std::size_t i = at; i < at + count; ++i)
    number = number << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
  return number;
}

// 0 for what is no page's size.
inline std::size_t page_bytes_of(const std::string& header) {
  const std::uint64_t told = number_at(header, kPageBytes, 2);
  return told == 1 ? 65536 : static_cast<std::size_t>(told);
}

}  // namespace occam
