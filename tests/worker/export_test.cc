#include "worker/evaluate/export.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "experiments/error.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

fs::path fresh_folder(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("occam-export-" + name);
  fs::remove_all(folder);
  return folder;
}

TEST(Export, ComesBackAsItWentOut) {
  const fs::path folder = fresh_folder("round-trip") / "deeper";
  const torch::Tensor train = at::randn({7, 3});
  const torch::Tensor test = at::randn({3, 4}).t();  // C order is made, not assumed
  export_features(folder, train, test, {0, 1, 1, 0});
  EXPECT_TRUE(at::equal(read_npy(folder / "train.npy"), train));
  EXPECT_TRUE(at::equal(read_npy(folder / "test.npy"), test));
  EXPECT_TRUE(
      at::equal(read_npy(folder / "is_outlier.npy"), at::tensor({0, 1, 1, 0}, torch::kUInt8)));
}

TEST(Export, StartsItsDataAtAMultipleOf64) {
  const fs::path folder = fresh_folder("aligned");
  for (const std::int64_t columns : {1, 10, 100, 1000, 10000}) {
    export_features(folder, at::zeros({1, columns}), at::zeros({1, columns}), {1});
    EXPECT_EQ((fs::file_size(folder / "train.npy") - static_cast<std::uintmax_t>(4 * columns)) % 64,
              0U);
  }
}

TEST(Export, SaysWhereItCannotWrite) {
  const fs::path folder = fresh_folder("not-a-folder");
  std::ofstream(folder) << "a file";
  EXPECT_THROW(export_features(folder, at::zeros({1, 1}), at::zeros({1, 1}), {1}), Error);
  fs::remove(folder);
}

TEST(Export, RefusesToReadWhatItDoesNotWrite) {
  const fs::path folder = fresh_folder("broken");
  EXPECT_THROW(read_npy(folder / "train.npy"), Error);
  export_features(folder, at::zeros({2, 2}), at::zeros({2, 2}), {0, 1});
  fs::resize_file(folder / "train.npy", fs::file_size(folder / "train.npy") - 1);
  EXPECT_THROW(read_npy(folder / "train.npy"), Error);
  std::ofstream(folder / "test.npy") << "not numpy at all";
  EXPECT_THROW(read_npy(folder / "test.npy"), Error);
}

}  // namespace
}  // namespace occam
