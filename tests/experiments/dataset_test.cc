#include "experiments/dataset.h"

#include "tests/experiments/sample.h"

namespace occam {
namespace {

TEST(Datasets, HaveTheirClassesInTheOrderOfTheirLabels) {
  const auto index = [](Dataset dataset, const char* name) { return class_index(dataset, name); };
  EXPECT_EQ(index(Dataset::cifar10, "airplane"), 0);
  EXPECT_EQ(index(Dataset::cifar10, "truck"), 9);
  EXPECT_EQ(index(Dataset::cifar20, "aquatic_mammals"), 0);
  EXPECT_EQ(index(Dataset::cifar20, "people"), 14);
  EXPECT_EQ(index(Dataset::cifar20, "vehicles_2"), 19);
  EXPECT_EQ(index(Dataset::cifar100, "apple"), 0);
  EXPECT_EQ(index(Dataset::cifar100, "maple_tree"), 47);
  EXPECT_EQ(index(Dataset::cifar100, "worm"), 99);
  EXPECT_EQ(index(Dataset::cats_vs_dogs, "dog"), 1);
  EXPECT_EQ(index(Dataset::celeba, "Eyeglasses"), 15);
  EXPECT_EQ(index(Dataset::celeba, "Young"), 39);
  for (Dataset dataset : {Dataset::cifar10, Dataset::cifar20, Dataset::cifar100}) {
    const DatasetFacts& known = facts(dataset);
    EXPECT_EQ(known.train_rows_per_class * static_cast<std::int64_t>(known.classes.size()), 50'000);
  }
}

TEST(IsInlier, IsTheClassOrTheLackOfAnAttribute) {
  EXPECT_TRUE(is_inlier(Dataset::cifar10, 3, 3));
  EXPECT_FALSE(is_inlier(Dataset::cifar10, 4, 3));
  const std::int64_t eyeglasses = std::int64_t{1} << 15, young = std::int64_t{1} << 39;
  EXPECT_FALSE(is_inlier(Dataset::celeba, eyeglasses | young, 15));
  EXPECT_TRUE(is_inlier(Dataset::celeba, young, 15));
  EXPECT_FALSE(is_inlier(Dataset::celeba, young, 39));
}

}  // namespace
}  // namespace occam
