#include "orchestrator/checkpoints.h"

#include <algorithm>
#include <fstream>

#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using Paths = std::vector<fs::path>;

class Checkpoints : public StoreTest {
 protected:
  Checkpoints() {
    store_.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
    for (std::int64_t i = 0; i < 3; ++i) put(id_of(trial(i)));
  }
  void put(const std::string& id) const {
    fs::create_directories(work_ / id);
    std::ofstream(work_ / id / "1.ckpt") << "weights";
  }
  void finish(const Trial& of) {
    ASSERT_TRUE(store_.record_outcome(outcome(of, begin(store_, of), {evaluation(kKde, 0.9)})));
  }

  Paths useless(bool orphans) const {
    Paths found = useless_checkpoints(store_, work_, orphans);
    std::sort(found.begin(), found.end());
    return found;
  }

  Store store_{path_, Store::Mode::write};
  fs::path work_ = folder_ / "work";
};

TEST_F(Checkpoints, OfTrialsThatAreDoneAreUseless) {
  finish(trial(0));
  std::ofstream(work_ / id_of(trial(1)) / "2.partial") << "half";
  Paths expected{work_ / id_of(trial(0)), work_ / id_of(trial(1)) / "2.partial"};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(useless(false), expected);
}

TEST_F(Checkpoints, OfATrainingForMoreScoresAreNot) {
  finish(trial(0));
  begin(store_, trial(0));
  EXPECT_EQ(useless(true), Paths{});
}

TEST_F(Checkpoints, OfTrialsThatTheSpecHasLeftOutGoWhenAskedFor) {
  store_.record_sweep(spec(), expansion({trial(0), trial(1)}));
  EXPECT_EQ(useless(false), Paths{});
  EXPECT_EQ(useless(true), Paths{work_ / id_of(trial(2))});
}

TEST_F(Checkpoints, OfAnotherDatabaseStay) {
  put("0123456789abcdef");
  EXPECT_EQ(useless(true), Paths{});
}

}  // namespace
}  // namespace occam
