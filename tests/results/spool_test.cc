#include "results/spool.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;
using Time = std::chrono::system_clock::time_point;

class SpoolTest : public StoreTest {
 protected:
  ~SpoolTest() override { Spool(path_).clear(); }
};

TEST_F(SpoolTest, IsTakenInByTheNextOpenOnceAndThenGone) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    const Outcome kept = outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.9)});
    begin(store, trial(1));
    Spool spool(path_);
    EXPECT_EQ(spool.keep({{kept}}), path_ + ".spool");
    spool.keep({{kept}});  // twice, as when it is not known what was written
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

// Another user's may be unreadable; a file that gives an error when it is read stands for it, since
// for root all others can be read.
TEST_F(SpoolTest, ThatCannotBeReadIsLeftWhereItIs) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
  }
  fs::create_symlink("/proc/self/mem", path_ + ".spool");
  const auto unreadable = AllOf(HasSubstr(path_ + ".spool"), HasSubstr("cannot be read"));
  EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }), unreadable);
  EXPECT_THAT(message_of([&] { check_nothing_waits(path_); }), unreadable);
  EXPECT_THAT(waiting_text(path_), unreadable);
  EXPECT_TRUE(fs::is_symlink(path_ + ".spool"));
  fs::remove(path_ + ".spool");
}

TEST_F(SpoolTest, MayBeReadByWhoMayReadTheDatabase) {
  { Store(path_, Store::Mode::write).record_sweep(spec(), expansion({trial(0)})); }
  for (const int mode : {0640, 0600, 0664}) {
    fs::permissions(path_, fs::perms(mode));
    Spool(path_).keep({{outcome(trial(0), 7, {evaluation(kKde, 0.9)})}});
    EXPECT_EQ(fs::status(path_ + ".spool").permissions(), fs::perms(mode));
  }
}

// Of a coordinator that died while the database was locked from before its attempts began.
TEST_F(SpoolTest, BringsWholeAttemptsWithTheirTimes) {
  const Time then = Time(std::chrono::seconds(1'700'000'000));
  const auto after = [&](int seconds) { return then + std::chrono::seconds(seconds); };
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
    Spool(path_).keep(
        {{AttemptBegun{id_of(trial(0)), 5, worker()}, then},
         {AttemptBegun{id_of(trial(1)), 6, worker("build-2")}, after(1)},
         {AttemptEnded{6, AttemptState::failed, "was killed"}, after(2)},
         {AttemptBegun{id_of(trial(1)), 7, worker(), ContinuedCheckpoint{6, after(1)}}, after(3)},
         {Progress{id_of(trial(0)), 5, 1, 20, 0.5, 0.25, 0.01, 100}, after(4)},
         {outcome(trial(0), 5, {evaluation(kKde, 0.9)}), after(5)}});
  }
  Store store(path_, Store::Mode::write);
  EXPECT_EQ(store.taken_in(), 1u);
  EXPECT_EQ(store.next_lease(), 8);
  EXPECT_EQ(cell_of(store,
                    "SELECT group_concat(lease || state || number || build, ' ') FROM "
                    "attempt"),
            "5completed1build-1 6failed1build-2 7interrupted2build-1");
  EXPECT_EQ(cell_of(store, "SELECT started_at || ended_at FROM attempt WHERE lease = 6"),
            "2023-11-14T22:13:21.000Z2023-11-14T22:13:22.000Z");
  EXPECT_EQ(cell_of(store, "SELECT continued || continued_at FROM attempt WHERE lease = 7"),
            "62023-11-14T22:13:21.000Z");
  EXPECT_EQ(cell_of(store, "SELECT recorded_at FROM outcome"), "2023-11-14T22:13:25.000Z");
  EXPECT_EQ(cell_of(store, "SELECT train_loss FROM curves"), "0.5");
}

TEST_F(SpoolTest, RefusesADatabaseInAnothersPlaceAndStays) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
    Spool(path_).keep({{outcome(trial(1), 1, {evaluation(kKde, 0.9)})}});
  }
  EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }),
              HasSubstr("occam.db.spool: what waits there is of another database"));
  EXPECT_EQ(Spool(path_).waiting().size(), 1u);
}

TEST_F(SpoolTest, OfAttemptsAloneIsRefusedByADatabaseInAnothersPlaceToo) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
    Spool(path_).keep({{AttemptBegun{id_of(trial(1)), 1, worker()}}});
  }
  EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }),
              HasSubstr("occam.db.spool: what waits there is of another database"));
}

// As where a copy from before has been put in the place of a database, or a disk damaged the spool.
TEST_F(SpoolTest, KeepsWhatTheDatabaseDoesNotTakeAndSaysSo) {
  const Outcome known = outcome(trial(0), 1, {evaluation(kKde, 0.9)});
  const Change unknown{outcome(trial(1), 7, {evaluation(kKde, 0.8)})};
  const std::string damaged = R"({"type":"outc)";
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    begin(store, trial(0));
    Spool(path_).keep({{known}, unknown, {known}});
    std::ofstream(path_ + ".spool", std::ios::app) << damaged;
  }
  {
    const Store store(path_, Store::Mode::write);
    EXPECT_EQ(store.taken_in(), 1u);
    EXPECT_THAT(store.opening_text(), HasSubstr("not taken in: 2 of the lines"));
    EXPECT_THAT(store.opening_text(), HasSubstr("; kept in " + path_ + ".spool.refused"));
  }
  EXPECT_FALSE(fs::exists(path_ + ".spool"));
  std::ostringstream kept;
  kept << std::ifstream(path_ + ".spool.refused").rdbuf();
  EXPECT_EQ(kept.str(), damaged + "\n" + to_line(unknown) + "\n");
  EXPECT_EQ(Store(path_, Store::Mode::write).opening_text(), "");
}

TEST_F(SpoolTest, IsReadPastALineThatBrokeOff) {
  std::ofstream(path_ + ".spool") << R"({"type":"outcome","trial":"x)";
  Spool(path_).keep({{outcome(trial(0), 7, {evaluation(kKde, 0.9)})}});
  const auto waiting = Spool(path_).waiting();
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(std::get<Outcome>(waiting[0].what).lease, 7);
  EXPECT_EQ(std::get<Outcome>(waiting[0].what).evaluations.at(0).auroc, 0.9);
}

TEST_F(SpoolTest, GoesWhereTheNextRunLooksWhereTheDatabasesFolderTakesNothing) {
  const std::vector<Change> one{{outcome(trial(0), 7, {evaluation(kKde, 0.9)})}};
  fs::create_directory(path_ + ".spool");  // so that no file can be made there
  Spool spool(path_);
  EXPECT_EQ(spool.keep(one).parent_path(), "/var/tmp");
  EXPECT_EQ(spool.waiting().size(), 1u);
  fs::remove(path_ + ".spool");
  EXPECT_EQ(spool.keep(one).parent_path(), "/var/tmp");  // behind the first
  EXPECT_EQ(Spool(path_).waiting().size(), 2u);
  spool.clear();
  EXPECT_TRUE(Spool(path_).waiting().empty());
}

TEST_F(SpoolTest, ElsewhereIsNamedWhereItIsOfAnotherDatabaseAndNoNewOneStays) {
  fs::create_directory(path_ + ".spool");
  const std::string file = Spool(path_).keep({{outcome(trial(0), 7, {evaluation(kKde, 0.9)})}});
  fs::remove(path_ + ".spool");
  EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }),
              AllOf(StartsWith(file + ": what waits there is of another database"),
                    HasSubstr("mv " + file + " " + file + ".old")));
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(Spool(path_).waiting().size(), 1u);
}

TEST_F(SpoolTest, OfAttemptsThatHaveEndedSinceIsNotCalledDamagedAlone) {
  Store(path_, Store::Mode::write).record_sweep(spec(), expansion({trial(0)}));
  std::int64_t lease = 0;
  {
    Store store(path_, Store::Mode::write);
    lease = begin(store, trial(0));
  }
  Store(path_, Store::Mode::write).close();  // the attempt was interrupted, as far as it knows
  Spool(path_).keep({{outcome(trial(0), lease, {evaluation(kKde, 0.9)})}});
  EXPECT_THAT(Store(path_, Store::Mode::write).opening_text(),
              HasSubstr("occam.db does not know or that have ended there without them; kept in"));
}

}  // namespace
}  // namespace occam
