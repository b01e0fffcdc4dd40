#include "worker/data/images.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <fstream>
#include <set>

#include "experiments/error.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

std::string idx(std::initializer_list<std::uint32_t> sizes, const std::string& data) {
  std::string bytes{0, 0, 8, static_cast<char>(sizes.size())};
  for (std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift);
  return bytes + data;
}

// Fashion-MNIST's four files with few images: image i is of class i % 10 and filled with i + 1.
class FashionMnist : public testing::Test {
 protected:
  FashionMnist() {
    write_part("train", 60);
    write_part("t10k", 20);
  }
  void write(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_.path() / name, std::ios::binary | std::ios::trunc) << bytes;
  }
  void write_part(const std::string& part, int count) {
    std::string pixels, labels;
    for (int i = 0; i < count; ++i) {
      pixels += std::string(28 * 28, static_cast<char>(i + 1));
      labels += static_cast<char>(i % 10);
    }
    const auto rows = static_cast<std::uint32_t>(count);
    write(part + "-images-idx3-ubyte", idx({rows, 28, 28}, pixels));
    write(part + "-labels-idx1-ubyte", idx({rows}, labels));
  }
  void zip(const std::string& name) {
    std::ifstream file(folder_.path() / name, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const gzFile zipped = gzopen((folder_.path() / (name + ".gz")).c_str(), "wb");
    gzwrite(zipped, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(zipped);
    fs::remove(folder_.path() / name);
  }
  ImageData load() const { return load_images(Dataset::fashion_mnist, {}, folder_.path()); }
  std::string problem() const {
    try {
      load();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  }
  static Trial trial(std::int64_t inlier, std::int64_t limit = 6, std::int64_t seed = 1) {
    Trial one;
    one.inlier = inlier;
    one.train_limit = limit;
    one.seed = seed;
    return canonical(one);
  }

  TemporaryFolder folder_;
};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(FashionMnist, IsReadFromItsFourFiles) {
  const ImageData data = load();
  EXPECT_EQ(data.train.images.sizes(), (std::vector<std::int64_t>{60, 1, 32, 32}));
  EXPECT_EQ(data.test.images.sizes(), (std::vector<std::int64_t>{20, 1, 32, 32}));
  EXPECT_EQ(data.train.labels[37], 7);
  EXPECT_EQ(data.test.labels.size(), 20);
}

TEST_F(FashionMnist, IsPaddedByTwoZerosOnEverySide) {
  const torch::Tensor image = load().train.images[4][0];
  EXPECT_EQ(image.slice(0, 2, 30).slice(1, 2, 30).min().item<int>(), 5);
  EXPECT_EQ(image.sum().item<int>(), 5 * 28 * 28) << "zeros outside";
}

TEST_F(FashionMnist, IsTheSameZippedAndInAFolderOfItsName) {
  const std::string digest = load().digest;
  EXPECT_EQ(digest.size(), 16);
  for (const std::string name : {"train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}) zip(name);
  EXPECT_EQ(load().digest, digest);
  const fs::path inner = folder_.path() / "fashion-mnist";
  fs::create_directory(inner);
  for (const auto& entry : fs::directory_iterator(folder_.path()))
    if (entry.is_regular_file()) fs::rename(entry.path(), inner / entry.path().filename());
  EXPECT_EQ(load().digest, digest);
}

TEST_F(FashionMnist, HasAnotherDigestWhenAByteOrALabelDiffers) {
  const std::string digest = load().digest;
  std::string labels(20, '\0');
  write("t10k-labels-idx1-ubyte", idx({20}, labels));
  EXPECT_NE(load().digest, digest);
}

TEST_F(FashionMnist, ThatIsNowhereSaysWhereItWasLookedForAndHowToGetIt) {
  const TemporaryFolder empty;
  try {
    load_images(Dataset::fashion_mnist, {}, empty.path());
    FAIL() << "was read";
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.what(), empty.path().string() + "/fashion-mnist")) << error.what();
    EXPECT_TRUE(has(error.what(), "dataset-fashion-mnist")) << error.what();
    EXPECT_TRUE(has(error.what(), "--data")) << error.what();
  }
}

TEST_F(FashionMnist, OfAnotherShapeIsRefusedByFile) {
  write("t10k-images-idx3-ubyte", idx({1, 2, 2}, "abcd"));
  EXPECT_TRUE(has(problem(), "t10k-images-idx3-ubyte: does not hold 28 x 28")) << problem();
}

TEST_F(FashionMnist, WithAnotherNumberOfLabelsIsRefusedByFile) {
  write("train-labels-idx1-ubyte", idx({3}, "\1\2\3"));
  EXPECT_TRUE(has(problem(), "train-labels-idx1-ubyte: does not hold one label")) << problem();
}

TEST_F(FashionMnist, WithALabelAboveNineIsRefusedByFile) {
  write("t10k-labels-idx1-ubyte", idx({20}, std::string(20, '\12')));
  EXPECT_TRUE(has(problem(), "t10k-labels-idx1-ubyte: holds a label above 9")) << problem();
}

TEST_F(FashionMnist, WithoutOneOfItsFilesIsRefusedByFile) {
  fs::remove(folder_.path() / "t10k-labels-idx1-ubyte");
  EXPECT_TRUE(has(problem(), "t10k-labels-idx1-ubyte: cannot be read")) << problem();
}

// Class c's train images are filled with c + 1, c + 11, c + 21 ….
std::set<int> fills(const torch::Tensor& images) {
  std::set<int> values;
  for (std::int64_t i = 0; i < images.size(0); ++i) values.insert(images[i].max().item<int>());
  return values;
}

TEST_F(FashionMnist, TrainsOnInliersAlone) {
  const OneClassData data = one_class(load(), trial(3));
  EXPECT_EQ(fills(data.train), (std::set<int>{4, 14, 24, 34, 44, 54}));
}

TEST_F(FashionMnist, TestsOnEveryClassAndCallsAllOthersOutliers) {
  const OneClassData data = one_class(load(), trial(3));
  ASSERT_EQ(data.test.images.size(0), 20);
  ASSERT_EQ(data.test.is_outlier.size(), 20);
  EXPECT_EQ(fills(data.test.images).size(), 20) << "every test image once";
  for (std::int64_t i = 0; i < 20; ++i) {
    const int fill = data.test.images[i].max().item<int>();
    EXPECT_EQ(data.test.is_outlier[i], (fill - 1) % 10 == 3 ? 0 : 1);
    EXPECT_EQ(data.test.rows[i], fill - 1);
  }
  EXPECT_FALSE(data.validation.images.defined());
  EXPECT_TRUE(data.validation.rows.empty());
}

TEST_F(FashionMnist, TakesASubsetThatTheSeedDraws) {
  const ImageData data = load();
  const std::set<int> all{4, 14, 24, 34, 44, 54};
  std::set<std::set<int>> subsets;
  for (std::int64_t seed = 1; seed <= 20; ++seed) {
    const OneClassData some = one_class(data, trial(3, 2, seed));
    ASSERT_EQ(some.train.size(0), 2);
    const std::set<int> subset = fills(some.train);
    EXPECT_EQ(subset.size(), 2);
    EXPECT_TRUE(std::includes(all.begin(), all.end(), subset.begin(), subset.end()));
    EXPECT_EQ(fills(one_class(data, trial(3, 2, seed)).train), subset);
    subsets.insert(subset);
  }
  EXPECT_GT(subsets.size(), 5);
}

TEST_F(FashionMnist, ShufflesTheTestRowsByTheSeed) {
  const ImageData data = load();
  const torch::Tensor one = one_class(data, trial(3)).test.images;
  EXPECT_TRUE(same_bits(one, one_class(data, trial(3)).test.images));
  EXPECT_TRUE(same_bits(one, one_class(data, trial(5)).test.images)) << "the same for every class";
  EXPECT_FALSE(same_bits(one, one_class(data, trial(3, 6, 2)).test.images));
}

// 600 train images, 60 of each class.
TEST_F(FashionMnist, HoldsATenthOfTheClassOutForValidation) {
  write_part("train", 600);
  const ImageData data = load();
  std::set<std::set<std::int64_t>> held_out;
  for (std::int64_t seed = 1; seed <= 10; ++seed) {
    Trial one = trial(3, 54, seed);
    one.validation = true;
    const OneClassData found = one_class(data, one);
    ASSERT_EQ(found.train.size(0), 54);
    ASSERT_EQ(found.validation.rows.size(), 12);
    std::set<std::int64_t> inliers;
    for (std::size_t i = 0; i < 12; ++i) {
      const std::int64_t row = found.validation.rows[i];
      const std::int64_t label = data.train.labels[static_cast<std::size_t>(row)];
      EXPECT_EQ(found.validation.is_outlier[i], label == 3 ? 0 : 1);
      EXPECT_TRUE(
          same_bits(found.validation.images[static_cast<std::int64_t>(i)], data.train.images[row]));
      if (label == 3) inliers.insert(row);
    }
    EXPECT_EQ(inliers.size(), 6) << "as many outliers as inliers";
    // Class 3's rows are 3, 13, 23, ...: trained on or held out, never both.
    std::set<int> trained = fills(found.train);
    for (std::int64_t row : inliers)
      EXPECT_FALSE(row < 255 && trained.count(static_cast<int>(row) + 1) > 0);
    held_out.insert(inliers);
  }
  EXPECT_GT(held_out.size(), 5) << "the seed draws them";
}

TEST_F(FashionMnist, WithFewerRowsThanTheTrialTakesIsRefused) {
  try {
    one_class(load(), trial(3, 7));
    FAIL() << "was taken";
  } catch (const Error& error) {
    EXPECT_TRUE(has(error.what(), "holds 6 train rows of class 3")) << error.what();
  }
}

TEST(NetworkInput, IsBytesOver255InThreeChannels) {
  const torch::Tensor gray = at::tensor({0, 51, 255, 1}, torch::kUInt8).view({1, 1, 2, 2});
  const torch::Tensor input = network_input(gray);
  EXPECT_EQ(input.sizes(), (std::vector<std::int64_t>{1, 3, 2, 2}));
  for (int p = 0; p < 3; ++p) {
    EXPECT_EQ(input[0][p][0][1].item<float>(), 51.0F / 255);
    EXPECT_EQ(input[0][p][1][0].item<float>(), 1);
  }
  const torch::Tensor colour = byte_images(2, 3, 4);
  EXPECT_TRUE(same_bits(network_input(colour), colour.to(torch::kFloat32) / 255));
}

}  // namespace
}  // namespace occam
