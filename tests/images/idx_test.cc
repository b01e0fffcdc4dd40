#include "images/idx.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <fstream>
#include <iterator>

#include "experiments/error.h"
#include "tests/images/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

class Idx : public testing::Test {
 protected:
  fs::path write(const std::string& bytes) const {
    const fs::path path = folder_.path() / "file";
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  fs::path write_gzip(const std::string& bytes) const {
    const fs::path path = folder_.path() / "file.gz";
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }
  static std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The message that reading it ends in, or "" when it is read.
  static std::string problem(const fs::path& path) {
    try {
      read_idx(path);
      return "";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
      return error.what();
    }
  }

  TemporaryFolder folder_;
};

std::string with_header(std::initializer_list<std::uint32_t> sizes, const std::string& data) {
  std::string bytes{0, 0, 8, static_cast<char>(sizes.size())};
  for (std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  return bytes + data;
}

const std::string kTwoImages = with_header({2, 2, 3}, "abcdefghijk\xff");

TEST_F(Idx, IsReadPlainAndZippedAlike) {
  for (const fs::path& path : {write(kTwoImages), write_gzip(kTwoImages)}) {
    const IdxArray images = read_idx(path);
    EXPECT_EQ(images.sizes, (std::vector<std::int64_t>{2, 2, 3}));
    EXPECT_EQ(images.bytes[1], 'b');
    EXPECT_EQ(images.bytes[3], 'd');
    EXPECT_EQ(images.bytes[6], 'g');
    EXPECT_EQ(images.bytes[11], 255);
  }
}

TEST_F(Idx, OfLabelsHasOneDimension) {
  EXPECT_EQ(read_idx(write(with_header({3}, "\x01\x02\x09"))).bytes,
            (std::vector<std::uint8_t>{1, 2, 9}));
}

TEST_F(Idx, CutAnywhereIsRefused) {
  for (std::size_t size = 0; size < kTwoImages.size(); ++size)
    EXPECT_TRUE(has(problem(write(kTwoImages.substr(0, size))), "ends too early")) << size;
}

// The last 8 bytes of a zipped file are its checksum and length: all images can be read before.
TEST_F(Idx, ZippedAndCutAnywhereIsRefused) {
  const std::string zipped = read(write_gzip(kTwoImages));
  for (std::size_t size = 0; size < zipped.size(); ++size)
    EXPECT_NE(problem(write(zipped.substr(0, size))), "") << size << " of " << zipped.size();
}

TEST_F(Idx, ZippedWithADamagedChecksumIsRefused) {
  std::string zipped = read(write_gzip(kTwoImages));
  zipped[zipped.size() - 6] = static_cast<char>(zipped[zipped.size() - 6] ^ 1);
  EXPECT_TRUE(has(problem(write(zipped)), "is damaged"));
}

TEST_F(Idx, WithBytesAfterTheLastImageIsRefused) {
  EXPECT_TRUE(has(problem(write(kTwoImages + "x")), "after its last image"));
  EXPECT_TRUE(has(problem(write_gzip(kTwoImages + "x")), "after its last image"));
}

TEST_F(Idx, OfAnotherMagicIsRefused) {
  std::string floats = kTwoImages;
  floats[2] = 0x0D;
  EXPECT_TRUE(has(problem(write(floats)), "is no IDX file of bytes"));
  std::string flat = kTwoImages;
  flat[3] = 0;
  EXPECT_TRUE(has(problem(write(flat)), "is no IDX file of bytes"));
  EXPECT_TRUE(has(problem(write("<html>not found</html>")), "is no IDX file of bytes"));
}

TEST_F(Idx, ClaimingMoreThanItCanHoldIsRefusedBeforeAnyMemoryIsTaken) {
  constexpr std::uint32_t most = 0xFFFFFFFF;
  EXPECT_TRUE(has(problem(write(with_header({most}, ""))), "more than 2 GiB"));
  EXPECT_TRUE(has(problem(write(with_header({65536, 65536}, ""))), "more than 2 GiB"));
  EXPECT_TRUE(has(problem(write(with_header({most, most, most, most}, ""))), "more than 2 GiB"));
}

TEST_F(Idx, ThatIsMissingOrAFolderIsRefusedByName) {
  EXPECT_TRUE(has(problem(folder_.path() / "nothing"), "cannot be read: No such file"));
  EXPECT_TRUE(has(problem(folder_.path()), "is a folder"));
}

}  // namespace
}  // namespace occam
