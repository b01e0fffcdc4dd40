#include "results/outcome_spool.h"

#include <gmock/gmock.h>

#include <fstream>

#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

class Spool : public StoreTest {
 protected:
  ~Spool() override { OutcomeSpool(path_).clear(); }
};

TEST_F(Spool, IsTakenInByTheNextOpenOnceAndThenGone) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    const Outcome kept = outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.9)});
    begin(store, trial(1));
    EXPECT_EQ(OutcomeSpool(path_).keep(kept), path_ + ".spool");
    OutcomeSpool(path_).keep(kept);  // twice, as when it is not known what was written
  }
  {
    Store store(path_, Store::Mode::write);
    EXPECT_EQ(store.taken_in(), 1u);
    EXPECT_EQ(store.status()[0].completed, 1);
    EXPECT_EQ(cell_of(store, "SELECT group_concat(state) FROM attempt"), "completed,interrupted");
  }
  EXPECT_FALSE(fs::exists(path_ + ".spool"));
  EXPECT_EQ(Store(path_, Store::Mode::write).taken_in(), 0u);
}

TEST_F(Spool, IsReadPastALineThatBrokeOff) {
  std::ofstream(path_ + ".spool") << R"({"type":"outcome","trial":"x)";
  OutcomeSpool(path_).keep(outcome(trial(0), 7, {evaluation(kKde, 0.9)}));
  const auto waiting = OutcomeSpool(path_).waiting();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].lease, 7);
  EXPECT_EQ(waiting[0].evaluations.at(0).auroc, 0.9);
}

TEST_F(Spool, GoesToTheFolderForTemporaryFilesWhereTheDatabasesTakesNothing) {
  fs::create_directory(path_ + ".spool");  // so that no file can be made there
  const fs::path kept = OutcomeSpool(path_).keep(outcome(trial(0), 7, {evaluation(kKde, 0.9)}));
  EXPECT_EQ(kept.parent_path(), fs::temp_directory_path());
  EXPECT_EQ(OutcomeSpool(path_).waiting().size(), 1u);
  fs::remove(path_ + ".spool");
  EXPECT_EQ(OutcomeSpool(path_).waiting().size(), 1u);
  OutcomeSpool(path_).clear();
  EXPECT_TRUE(OutcomeSpool(path_).waiting().empty());
}

}  // namespace
}  // namespace occam
