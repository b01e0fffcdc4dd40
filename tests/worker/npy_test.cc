#include "worker/evaluate/npy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "experiments/error.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

fs::path fresh_folder(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("occam-npy-" + name);
  fs::remove_all(folder);
  fs::create_directories(folder);
  return folder;
}

TEST(Npy, ComesBackAsItWentOut) {
  const fs::path folder = fresh_folder("round-trip");
  for (const torch::Tensor& tensor :
       {at::randn({7, 3}), at::randn({3, 4}).t(),  // C order is made, not assumed
        at::tensor({0, 1, 1, 0}, torch::kUInt8), at::arange(-3, 1LL << 33, 1LL << 31),
        at::randn({2, 3, 4})}) {
    write_npy(folder / "some.npy", tensor);
    const torch::Tensor read = read_npy(folder / "some.npy");
    EXPECT_EQ(read.scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(at::equal(read, tensor));
  }
}

TEST(Npy, StartsItsDataAtAMultipleOf64) {
  const fs::path folder = fresh_folder("aligned");
  for (const std::int64_t columns : {1, 10, 100, 1000, 10000}) {
    write_npy(folder / "some.npy", at::zeros({1, columns}));
    EXPECT_EQ((fs::file_size(folder / "some.npy") - static_cast<std::uintmax_t>(4 * columns)) % 64,
              0U);
  }
}

TEST(Npy, SaysWhereItCannotWrite) {
  EXPECT_THROW(write_npy(fresh_folder("none") / "no-such" / "some.npy", at::zeros({1})), Error);
}

TEST(Npy, RefusesToReadWhatItDoesNotWrite) {
  const fs::path folder = fresh_folder("broken");
  EXPECT_THROW(read_npy(folder / "train.npy"), Error);
  write_npy(folder / "train.npy", at::zeros({2, 2}));
  fs::resize_file(folder / "train.npy", fs::file_size(folder / "train.npy") - 1);
  EXPECT_THROW(read_npy(folder / "train.npy"), Error);
  std::ofstream(folder / "test.npy") << "not numpy at all";
  EXPECT_THROW(read_npy(folder / "test.npy"), Error);
}

}  // namespace
}  // namespace occam
