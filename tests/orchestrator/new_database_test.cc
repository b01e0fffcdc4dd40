// merge and recover into a name that is new to them.
#include <gmock/gmock.h>

#include "orchestrator/commands/command.h"
#include "results/store_lock.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class NewDatabase : public StoreTest {
 protected:
  NewDatabase() { Store(path_, Store::Mode::write).record_sweep(spec(), expansion({trial(0)})); }

  const std::string new_ = (folder_ / "new.db").string();
};

// Whoever comes second sees no file yet, and then a lock: what lies there is the first one's.
TEST_F(NewDatabase, OfAnotherIsLeftToIt) {
  const StoreLock first(new_);
  for (const Subcommand* command : {&kMergeCommand, &kRecoverCommand}) {
    const bool merges = command == &kMergeCommand;
    EXPECT_THAT(message_of([&] {
                  command->run(merges ? std::vector{new_, path_} : std::vector{path_, new_});
                }),
                HasSubstr("writes it; wait for that"));
    EXPECT_THAT(files(), ElementsAre("new.db.lock", "occam.db", "occam.db.lock")) << command->name;
  }
}

TEST_F(NewDatabase, ThatCouldNotBeFilledIsRemoved) {
  const std::string none = (folder_ / "none.db").string();
  EXPECT_THAT(message_of([&] { kMergeCommand.run({new_, none}); }), HasSubstr("no such file"));
  const Store writer(path_, Store::Mode::write);
  EXPECT_THAT(message_of([&] {
                kRecoverCommand.run({path_, new_});
              }),
              HasSubstr("occam.db: process"));
  EXPECT_FALSE(fs::exists(new_));
  EXPECT_FALSE(fs::exists(new_ + ".lock"));
}

TEST_F(NewDatabase, ThatIsOldByNowStays) {
  Store(new_, Store::Mode::write).record_sweep(spec("other"), expansion({trial(1)}));
  EXPECT_THAT(message_of([&] {
                kMergeCommand.run({new_, (folder_ / "none.db").string()});
              }),
              HasSubstr("no such file"));
  EXPECT_EQ(Store(new_, Store::Mode::read).sweeps(), std::vector<std::string>{"other"});
}

}  // namespace
}  // namespace occam
