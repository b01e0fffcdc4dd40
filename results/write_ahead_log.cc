#include "results/write_ahead_log.h"

#include <fstream>

#include "results/file_header.h"

namespace occam {
namespace {

constexpr std::size_t kLogHeaderBytes = 32, kFrameHeaderBytes = 24, kMarkBytes = 8;
constexpr std::uint64_t kLittleEndian = 0x377f0682, kBigEndian = 0x377f0683;

// Goes on over all of the log: a frame's sum depends on all before it.
class Checksum {
 public:
  explicit Checksum(bool big_endian) : big_endian_(big_endian) {}
  void add(const std::string& bytes, std::size_t count) {
    for (std::size_t i = 0; i + 8 <= count; i += 8) {
      first_ += word(bytes, i) + second_;
      second_ += word(bytes, i + 4) + first_;
    }
  }
  bool is(const std::string& bytes, std::size_t at) const {
    return number_at(bytes, at, 4) == first_ && number_at(bytes, at + 4, 4) == second_;
  }

 private:
  std::uint32_t word(const std::string& bytes, std::size_t at) const {
    const auto big = static_cast<std::uint32_t>(number_at(bytes, at, 4));
    return big_endian_ ? big : __builtin_bswap32(big);
  }

  bool big_endian_;
  std::uint32_t first_ = 0, second_ = 0;
};

// As many bytes or none.
std::string next(std::ifstream& file, std::size_t count) {
  std::string bytes(count, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(count));
  return file ? bytes : "";
}

}  // namespace

WriteAheadLog read_log(const std::string& path) {
  WriteAheadLog log;
  std::ifstream file(path, std::ios::binary);
  const std::string header = next(file, kLogHeaderBytes);
  if (header.empty()) return log;
  const std::uint64_t magic = number_at(header, 0, 4);
  const std::size_t page_bytes = number_at(header, 8, 4);
  Checksum sum(magic == kBigEndian);
  sum.add(header, kFrameHeaderBytes);
  // The header is synced before the first frame is written.
  if ((magic != kLittleEndian && magic != kBigEndian) || !sum.is(header, kFrameHeaderBytes) ||
      page_bytes < 512 || page_bytes > 65536) {
    log.is_damaged = file.peek() != std::ifstream::traits_type::eof();
    return log;
  }
  const std::string salt = header.substr(16, 8);
  bool readable = true;
  for (;;) {
    const std::string frame = next(file, kFrameHeaderBytes), page = next(file, page_bytes);
    if (page.empty()) return log;
    // What an earlier round of the log wrote has another salt.
    const bool is_of_this_round = frame.substr(8, 8) == salt;
    if (!readable) {
      log.is_damaged |= is_of_this_round && number_at(frame, 4, 4) != 0;
      continue;
    }
    sum.add(frame, kMarkBytes);
    sum.add(page, page_bytes);
    readable = is_of_this_round && sum.is(frame, 16);
    if (readable && number_at(frame, 0, 4) == 1)
      log.first_pages.push_back(page.substr(0, kHeaderBytes));
  }
}

}  // namespace occam
