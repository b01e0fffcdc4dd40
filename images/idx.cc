#include "images/idx.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "experiments/error.h"

namespace occam {
namespace {

class GzipFile {
 public:
  explicit GzipFile(const std::filesystem::path& path)
      : path_(path), file_(gzopen(path.c_str(), "rb"), gzclose) {
    if (!file_) fail(std::string("cannot be read: ") + std::strerror(errno));
    gzbuffer(file_.get(), 1 << 18);
  }
  void read(void* to, std::size_t bytes) {
    auto* at = static_cast<unsigned char*>(to);
    while (bytes > 0) {
      const auto chunk = static_cast<unsigned>(std::min<std::size_t>(bytes, 1 << 24));
      const int got = gzread(file_.get(), at, chunk);
      if (got <= 0) fail(got < 0 ? reason() : "ends too early; is the download complete?");
      at += got;
      bytes -= static_cast<std::size_t>(got);
    }
  }
  // Reading past the end also makes zlib verify the checksum. A file that is cut inside it reads
  // like one that ends, but for zlib's error.
  void expect_end() {
    unsigned char extra = 0;
    const int got = gzread(file_.get(), &extra, 1);
    if (got > 0) fail("has bytes after its last image");
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (got < 0 || code != Z_OK) fail(reason());
  }
  [[noreturn]] void fail(const std::string& why) const { throw Error(path_.string() + ": " + why); }

 private:
  std::string reason() const {
    int code = 0;
    const char* text = gzerror(file_.get(), &code);
    return code == Z_BUF_ERROR ? "ends too early; is the download complete?"
                               : "is damaged: " + std::string(text);
  }
  std::filesystem::path path_;
  std::unique_ptr<gzFile_s, decltype(&gzclose)> file_;
};

std::uint32_t big_endian(const unsigned char* bytes) {
  return static_cast<std::uint32_t>(bytes[0]) << 24 | static_cast<std::uint32_t>(bytes[1]) << 16 |
         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3];
}

}  // namespace

IdxArray read_idx(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path))
    throw Error(path.string() + ": is a folder, not an IDX file");
  GzipFile file(path);
  std::array<unsigned char, 4> word{};
  file.read(word.data(), word.size());
  const int dimensions = word[3];
  if (word[0] != 0 || word[1] != 0 || word[2] != 8 || dimensions < 1 || dimensions > 4)
    file.fail("is no IDX file of bytes");
  std::vector<std::int64_t> sizes;
  std::int64_t total = 1;
  for (int i = 0; i < dimensions; ++i) {
    file.read(word.data(), word.size());
    sizes.push_back(big_endian(word.data()));
    if (sizes.back() > (1LL << 31) / std::max<std::int64_t>(total, 1))
      file.fail("claims more than 2 GiB of bytes");
    total *= sizes.back();
  }
  IdxArray array{std::move(sizes), std::vector<std::uint8_t>(static_cast<std::size_t>(total))};
  file.read(array.bytes.data(), array.bytes.size());
  file.expect_end();
  return array;
}

}  // namespace occam
