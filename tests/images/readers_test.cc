#include "images/readers.h"

#include <cstdlib>
#include <optional>

#include "images/load.h"
#include "images/places.h"
#include "tests/images/sample.h"

namespace occam {
namespace {

// One record of the binary version: labels, then 1,024 bytes each of red, green and blue.
std::string record(std::initializer_list<int> labels, char red, char green, char blue) {
  std::string text;
  for (int label : labels) text += static_cast<char>(label);
  return text + std::string(1024, red) + std::string(1024, green) + std::string(1024, blue);
}

void write_cifar10(const TemporaryFolder& folder, const std::string& inner = "") {
  for (int batch = 1; batch <= 5; ++batch)
    folder.write(inner + "data_batch_" + std::to_string(batch) + ".bin",
                 record({batch}, static_cast<char>(batch), 20, 30) + record({0}, 1, 2, 3));
  folder.write(inner + "test_batch.bin", record({9}, 'a', 'b', 'c'));
}

TEST(Cifar10, IsReadFromItsSixBinaryFiles) {
  const TemporaryFolder folder;
  write_cifar10(folder);
  const ImageSets sets = read_cifar10(folder.path());
  EXPECT_EQ(sets.train.rows, 10);
  EXPECT_EQ(sets.train.channels, 3);
  EXPECT_EQ(sets.train.side, 32);
  EXPECT_EQ(sets.train.labels, (std::vector<std::int64_t>{1, 0, 2, 0, 3, 0, 4, 0, 5, 0}));
  EXPECT_EQ(sets.train.bytes.get()[2 * 3072], 2) << "red of the third image";
  EXPECT_EQ(sets.train.bytes.get()[2 * 3072 + 2048], 30) << "and its blue";
  EXPECT_EQ(sets.test.labels, (std::vector<std::int64_t>{9}));
  EXPECT_EQ(sets.test.bytes.get()[1024], 'b');
}

TEST(Cifar10, IsFoundWhereItsArchiveUnpacks) {
  const TemporaryFolder folder;
  write_cifar10(folder, "cifar10/cifar-10-batches-bin/");
  EXPECT_EQ(find_images(Dataset::cifar10, "", folder.path()),
            folder.path() / "cifar10/cifar-10-batches-bin");
  const ImageSets sets = load(Dataset::cifar10, "", folder.path());
  EXPECT_EQ(sets.test.rows, 1);
  EXPECT_EQ(sets.digest.size(), 16);
}

TEST(Cifar10, CutShortOrWithALabelThatIsNoneIsRefusedByFile) {
  const TemporaryFolder folder;
  write_cifar10(folder);
  folder.write("data_batch_3.bin", record({1}, 1, 2, 3).substr(1));
  EXPECT_TRUE(has(message_of([&] { read_cifar10(folder.path()); }),
                  "data_batch_3.bin: holds 3072 bytes, which are no 3073 an image"));
  folder.write("data_batch_3.bin", record({1}, 1, 2, 3) + record({10}, 1, 2, 3));
  EXPECT_TRUE(has(message_of([&] { read_cifar10(folder.path()); }),
                  "data_batch_3.bin: image 1 has label 10, above 9"));
  std::filesystem::remove(folder.path() / "data_batch_5.bin");
  folder.write("data_batch_3.bin", record({1}, 1, 2, 3));
  EXPECT_TRUE(
      has(message_of([&] { read_cifar10(folder.path()); }), "data_batch_5.bin: cannot read"));
}

TEST(Cifar100, HasACoarseAndAFineLabelAnImage) {
  const TemporaryFolder folder;
  folder.write("train.bin", record({19, 99}, 1, 2, 3) + record({4, 0}, 5, 6, 7));
  folder.write("test.bin", record({0, 51}, 8, 9, 10));
  const ImageSets coarse = read_cifar100(folder.path(), Cifar100Labels::coarse);
  const ImageSets fine = read_cifar100(folder.path(), Cifar100Labels::fine);
  EXPECT_EQ(coarse.train.labels, (std::vector<std::int64_t>{19, 4}));
  EXPECT_EQ(fine.train.labels, (std::vector<std::int64_t>{99, 0}));
  EXPECT_EQ(fine.test.labels, (std::vector<std::int64_t>{51}));
  for (const ImageSets* sets : {&coarse, &fine}) {
    EXPECT_EQ(sets->train.bytes.get()[0], 1);
    EXPECT_EQ(sets->train.bytes.get()[3072 + 1024], 6);
  }
  folder.write("test.bin", record({20, 51}, 8, 9, 10));
  EXPECT_TRUE(has(message_of([&] { read_cifar100(folder.path(), Cifar100Labels::coarse); }),
                  "test.bin: image 0 has label 20, above 19"));
}

TEST(Cifar20, IsFoundWhereverCifar100Is) {
  for (const char* inner : {"", "cifar-100-binary/", "cifar100/", "cifar100/cifar-100-binary/"}) {
    const TemporaryFolder folder;
    folder.write(inner + std::string("train.bin"), record({19, 99}, 1, 2, 3));
    folder.write(inner + std::string("test.bin"), record({0, 51}, 8, 9, 10));
    EXPECT_EQ(find_images(Dataset::cifar100, "", folder.path()) / "", folder.path() / inner / "");
    EXPECT_EQ(load(Dataset::cifar20, "", folder.path()).train.labels,
              (std::vector<std::int64_t>{19}))
        << inner;
  }
}

TEST(FashionMnist, WithoutAnyImageIsRefused) {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte",
               std::string("\0\0\x08\x03\0\0\0\0\0\0\0\x1c\0\0\0\x1c", 16));
  folder.write("train-labels-idx1-ubyte", std::string("\0\0\x08\x01\0\0\0\0", 8));
  EXPECT_TRUE(has(message_of([&] { read_fashion_mnist(folder.path()); }),
                  "train-images-idx3-ubyte: holds no images"));
}

// Sets an environment variable, or removes it; as it was at the end.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Environment() { set(before_ ? before_->c_str() : nullptr); }
  Environment(const Environment&) = delete;

 private:
  void set(const char* value) const { value ? setenv(name_, value, 1) : unsetenv(name_); }
  const char* name_;
  std::optional<std::string> before_;
};

TEST(Images, AreLookedForWhereTheEnvironmentSaysUnlessAFolderIsNamed) {
  using Paths = std::vector<std::filesystem::path>;
  const Environment home("HOME", "/home/ada"), no_xdg("XDG_DATA_HOME", nullptr);
  const std::filesystem::path distribution = "/usr/share/datasets/cifar10";
  {
    const Environment no_data("OCCAM_DATA", nullptr);
    EXPECT_EQ(places("cifar10", ""), (Paths{"/home/ada/.local/share/occam/cifar10", distribution}));
    const Environment xdg("XDG_DATA_HOME", "/xdg");
    EXPECT_EQ(places("cifar10", ""), (Paths{"/xdg/occam/cifar10", distribution}));
  }
  const TemporaryFolder mine;
  const Environment data("OCCAM_DATA", mine.path().c_str());
  EXPECT_EQ(places("cifar10", ""), (Paths{mine.path() / "cifar10", mine.path(),
                                          "/home/ada/.local/share/occam/cifar10", distribution}));
  EXPECT_EQ(places("cifar10", "/named"), (Paths{"/named/cifar10", "/named"}));
  const Environment wrong("OCCAM_DATA", "/no/such/folder");
  EXPECT_EQ(message_of([] { places("cifar10", ""); }).find("OCCAM_DATA: /no/such/folder is no"),
            0U);
}

TEST(Images, ThatAreNowhereSayWhereTheyWereLookedForAndHowToGetThem) {
  const TemporaryFolder folder;
  for (Dataset dataset : {Dataset::cifar10, Dataset::cifar20, Dataset::cifar100,
                          Dataset::cats_vs_dogs, Dataset::celeba, Dataset::fashion_mnist}) {
    const std::string problem = message_of([&] { load(dataset, "", folder.path()); });
    EXPECT_TRUE(problem.starts_with(to_string(dataset) + ": no ")) << problem;
    EXPECT_TRUE(has(problem, (folder.path() / to_string(dataset)).string())) << problem;
    EXPECT_TRUE(has(problem, "--data")) << problem;
    EXPECT_TRUE(has(problem, "http")) << problem;
  }
  EXPECT_TRUE(has(message_of([&] { load(Dataset::folder, "screws", folder.path()); }),
                  "screws: no train/good or images.csv in"));
}

}  // namespace
}  // namespace occam
