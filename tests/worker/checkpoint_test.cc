#include "worker/train/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <limits>

#include "experiments/error.h"
#include "tests/worker/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

TrainingState state(std::int64_t step, std::int64_t weights = 1500) {
  const torch::Tensor values = at::arange(weights, torch::kFloat32).sin();
  return {step,       values, values * 0.5 + step, at::arange(70, torch::kFloat32).cos(),
          0.1 * step, 1.0 / 3};
}

void expect_same(const TrainingState& a, const TrainingState& b) {
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.loss_sum, b.loss_sum);
  EXPECT_EQ(a.accuracy_sum, b.accuracy_sum);
  EXPECT_TRUE(same_bits(a.weights, b.weights));
  EXPECT_TRUE(same_bits(a.velocity, b.velocity));
  EXPECT_TRUE(same_bits(a.statistics, b.statistics));
}

class Checkpoint : public testing::Test {
 protected:
  std::string bytes(std::int64_t lease) const {
    std::ifstream file(path(lease), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void replace(std::int64_t lease, const std::string& bytes) const {
    std::ofstream(path(lease), std::ios::binary | std::ios::trunc) << bytes;
  }
  fs::path path(std::int64_t lease) const {
    return folder_.path() / "trial" / (std::to_string(lease) + ".ckpt");
  }

  TemporaryFolder folder_;
  CheckpointFolder checkpoints_{folder_.path() / "trial", "0123456789abcdef"};
};

TEST_F(Checkpoint, ComesBackAsItWasSaved) {
  checkpoints_.save(7, state(41));
  const auto loaded = checkpoints_.newest({7});
  ASSERT_TRUE(loaded);
  expect_same(*loaded, state(41));
}

TEST_F(Checkpoint, KeepsTheBitsOfNumbersThatAreNone) {
  TrainingState odd = state(1);
  odd.weights[3] = std::numeric_limits<float>::infinity();
  odd.weights[4] = -0.0F;
  odd.weights[5] = 1e-42F;
  checkpoints_.save(1, odd);
  const auto loaded = checkpoints_.newest({1});
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(same_bits(loaded->weights, odd.weights));
  EXPECT_TRUE(std::signbit(loaded->weights[4].item<float>()));
}

TEST_F(Checkpoint, OfALaterSaveReplacesTheEarlierOneOfItsLease) {
  checkpoints_.save(1, state(10));
  checkpoints_.save(1, state(20));
  EXPECT_EQ(checkpoints_.newest({1})->step, 20);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_.path() / "trial"), {}), 1)
      << "nothing partial is left";
}

TEST_F(Checkpoint, ThatIsNewestIsTheFurthestOfTheGivenLeases) {
  checkpoints_.save(1, state(30));
  checkpoints_.save(2, state(50));
  checkpoints_.save(3, state(40));
  checkpoints_.save(4, state(60));
  EXPECT_EQ(checkpoints_.newest({1, 2, 3})->step, 50);
  EXPECT_EQ(checkpoints_.newest({3, 1})->step, 40);
  EXPECT_EQ(checkpoints_.newest({9, 1})->step, 30);
  EXPECT_FALSE(checkpoints_.newest({}));
  EXPECT_FALSE(checkpoints_.newest({9}));
}

TEST_F(Checkpoint, ThatIsDamagedIsPassedOverForAnEarlierOne) {
  checkpoints_.save(1, state(30));
  checkpoints_.save(2, state(50));
  replace(2, bytes(2).substr(0, 2000));
  EXPECT_EQ(checkpoints_.newest({1, 2})->step, 30);
}

TEST_F(Checkpoint, CutAnywhereIsNeverLoaded) {
  checkpoints_.save(1, state(41));
  const std::string whole = bytes(1);
  for (std::size_t size = 0; size < whole.size(); size += size < 300 ? 1 : 97) {
    replace(1, whole.substr(0, size));
    EXPECT_FALSE(checkpoints_.newest({1})) << size << " of " << whole.size();
  }
  replace(1, whole + "x");
  EXPECT_FALSE(checkpoints_.newest({1}));
  replace(1, whole);
  EXPECT_TRUE(checkpoints_.newest({1}));
}

// Of the header too: a step of 41 that reads 43 would train on from the wrong place.
TEST_F(Checkpoint, WithAnyByteFlippedIsNeverLoadedAsAnother) {
  checkpoints_.save(1, state(41));
  const std::string whole = bytes(1);
  for (std::size_t at = 0; at < whole.size(); at += at < 260 ? 1 : 293)
    for (int bit : {0, 1, 4, 7}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      replace(1, damaged);
      if (const auto loaded = checkpoints_.newest({1})) {
        SCOPED_TRACE("byte " + std::to_string(at) + " bit " + std::to_string(bit));
        expect_same(*loaded, state(41));
      }
    }
}

TEST_F(Checkpoint, OfAnotherTrialIsRefused) {
  checkpoints_.save(1, state(41));
  EXPECT_FALSE(CheckpointFolder(folder_.path() / "trial", "fedcba9876543210").newest({1}));
}

TEST_F(Checkpoint, ThatIsNoCheckpointIsPassedOver) {
  checkpoints_.save(1, state(41));
  for (const std::string text : {"", "\n", "[]\n", "{}\n", "null\n", "{\"format\":1}\n", "hello"}) {
    replace(2, text);
    EXPECT_EQ(checkpoints_.newest({2, 1})->step, 41) << text;
  }
  fs::create_directory(path(3));
  EXPECT_EQ(checkpoints_.newest({3, 1})->step, 41);
}

TEST_F(Checkpoint, ThatCannotBeWrittenLeavesTheOldOneAndNamesTheFile) {
  checkpoints_.save(1, state(41));
  fs::create_directory(path(1).string() + ".partial");  // in the way
  try {
    checkpoints_.save(1, state(42));
    FAIL() << "was written";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path(1).string()), std::string::npos) << error.what();
  }
  EXPECT_EQ(checkpoints_.newest({1})->step, 41);
}

TEST_F(Checkpoint, ThatCannotTakeItsNameNamesTheFile) {
  fs::create_directories(path(1) / "in the way");
  try {
    checkpoints_.save(1, state(42));
    FAIL() << "was written";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(path(1).string()), std::string::npos) << error.what();
  }
}

TEST_F(Checkpoint, IsNotWrittenIntoAFile) {
  std::ofstream(folder_.path() / "trial") << "in the way";
  EXPECT_THROW(checkpoints_.save(1, state(42)), Error);
}

TEST_F(Checkpoint, ClearedIsGoneWithItsFolder) {
  checkpoints_.save(1, state(41));
  checkpoints_.save(2, state(42));
  std::ofstream(path(3).string() + ".partial") << "killed while writing";
  checkpoints_.clear();
  EXPECT_FALSE(fs::exists(folder_.path() / "trial"));
  checkpoints_.clear();  // and again
}

TEST_F(Checkpoint, ClearedLeavesFilesOfOthers) {
  checkpoints_.save(1, state(41));
  std::ofstream(folder_.path() / "trial" / "notes.txt") << "mine";
  checkpoints_.clear();
  EXPECT_FALSE(checkpoints_.newest({1}));
  EXPECT_TRUE(fs::exists(folder_.path() / "trial" / "notes.txt"));
}

}  // namespace
}  // namespace occam
