#include "results/recover.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "results/spool.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class Recover : public StoreTest {
 protected:
  Recovered recover() {
    Store out(out_, Store::Mode::write);
    return out.recover(path_, {});
  }
  std::string found(const std::string& sql) const {
    return cell_of(Store(out_, Store::Mode::read), sql);
  }

  std::string out_ = (folder_ / "out.db").string();
};

TEST_F(Recover, TakesWhatLiesInALogBesideTheFileAndLeavesBothAlone) {
  Store store(path_, Store::Mode::write, Journal::wal);
  store.record_sweep(spec(), expansion({trial(0), trial(1)}));
  store.record_outcome(outcome(trial(1), begin(store, trial(1)), {evaluation(kKde, 0.75)}));
  // As a machine that went down leaves it.
  fs::create_directory(folder_ / "left");
  for (const char* part : {"", "-wal"})
    fs::copy_file(path_ + part, folder_ / "left" / ("occam.db" + std::string(part)));
  path_ = (folder_ / "left" / "occam.db").string();
  const std::string file = content_of(path_), log = content_of(path_ + "-wal");
  ASSERT_FALSE(log.empty());

  EXPECT_TRUE(recover().whole());
  EXPECT_EQ(found("SELECT auroc FROM results"), "0.75");
  EXPECT_EQ(content_of(path_), file);
  EXPECT_EQ(content_of(path_ + "-wal"), log);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "left"), {}), 2);
}

TEST_F(Recover, ReadsPastColumnsThatSomebodyAdded) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    store.record_outcome(outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.75)}));
    store.close();
    SQLite::Database(path_, SQLite::OPEN_READWRITE)
        .exec(
            "ALTER TABLE outcome ADD COLUMN remark TEXT; ALTER TABLE outcome ADD COLUMN stars "
            "REAL");
  }
  {
    Store store(path_, Store::Mode::write);
    store.record_outcome(outcome(trial(1), begin(store, trial(1)), {evaluation(kKde, 0.5)}));
    store.close();
    SQLite::Database(path_, SQLite::OPEN_READWRITE)
        .exec("UPDATE outcome SET remark = 'a good one', stars = 4.5 WHERE attempt = 1");
  }
  EXPECT_TRUE(recover().whole());
  EXPECT_EQ(found("SELECT min(auroc) || max(auroc) || count(*) FROM results"), "0.50.752");
}

// What comes behind the wrong bit was committed, and SQLite does not even look at it.
TEST_F(Recover, SaysThatALogIsDamaged) {
  {
    Store planned(path_, Store::Mode::write, Journal::wal);
    planned.record_sweep(spec(), expansion({trial(0), trial(1)}));
    planned.close();
  }
  Store store(path_, Store::Mode::write, Journal::wal);
  for (const std::int64_t inlier : {0, 1})
    store.record_outcome(
        outcome(trial(inlier), begin(store, trial(inlier)), {evaluation(kKde, 0.75)}));
  const std::string log = content_of(path_ + "-wal");
  fs::create_directory(folder_ / "left");
  const std::string left = (folder_ / "left" / "occam.db").string();
  fs::copy_file(path_, left);
  path_ = left;
  for (const std::size_t at : {std::size_t(5), log.size() / 2, log.size() + 1}) {
    std::string damaged = log;
    if (at < log.size()) damaged[at] = static_cast<char>(damaged[at] ^ 1);
    std::ofstream(path_ + "-wal", std::ios::binary) << damaged;
    const Recovered recovered = recover();
    EXPECT_EQ(recovered.unread_beside, at < log.size()) << at;
    EXPECT_EQ(recovered.whole(), at >= log.size()) << at;
    fs::remove(out_);
  }
  // One whose last writer died in the middle of a write lacks nothing that was ever acknowledged.
  std::ofstream(path_ + "-wal", std::ios::binary) << log.substr(0, log.size() - 1000);
  EXPECT_FALSE(recover().unread_beside);
}

TEST_F(Recover, TakesInTheOutcomesThatWaitBesideTheFile) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    const std::int64_t lease = begin(store, trial(0));
    begin(store, trial(1));
    Spool(path_).keep({{outcome(trial(0), lease, {evaluation(kKde, 0.5)})}});
    store.close();
  }
  const Recovered recovered = recover();
  EXPECT_EQ(recovered.taken_in, 1);
  EXPECT_TRUE(recovered.whole());
  EXPECT_EQ(found("SELECT auroc FROM results"), "0.5");
  EXPECT_EQ(found("SELECT state FROM attempt WHERE lease = 2"), "interrupted");
}

TEST_F(Recover, SaysThatNotAllThatWaitsBesideTheFileCouldBeTakenIn) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0)}));
    store.close();
  }
  Spool(path_).keep({{outcome(trial(0), 3, {evaluation(kKde, 0.5)})}});  // an attempt that is lost
  const Recovered recovered = recover();
  EXPECT_EQ(recovered.taken_in, 0);
  EXPECT_TRUE(recovered.unread_beside);
  EXPECT_TRUE(fs::exists(path_ + ".spool"));
}

TEST_F(Recover, KeepsWhatTheUserTookOutAndWhatALaterSpecLeftOut) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1), trial(2)}));
    store.record_outcome(outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.5)}));
    store.cancel({id_of(trial(1))});
    store.record_sweep(spec(), expansion({trial(1), trial(2)}));
    store.close();
  }
  EXPECT_TRUE(recover().whole());
  EXPECT_EQ(found("SELECT trial FROM sweep_trial WHERE orphaned_at IS NOT NULL"), id_of(trial(0)));
  EXPECT_EQ(found("SELECT trial FROM sweep_trial WHERE cancelled_at IS NOT NULL"), id_of(trial(1)));
  EXPECT_EQ(Store(out_, Store::Mode::read).results("", true).results.size(), 1u);
}

TEST_F(Recover, ReadsAFileOfAnOlderOccamAndGivesNoLeaseTwice) {
  const std::string id = id_of(trial(0));
  {
    SQLite::Database old(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    std::string text = content_of(OCCAM_SOURCE_DIR "/tests/golden/database-1.sql");
    const std::string config = to_json(trial(0)).dump();
    for (std::size_t at; (at = text.find("0123456789abcdef")) != std::string::npos;)
      text.replace(at, 16, id);
    old.exec(text);
    old.exec("UPDATE trial SET config = '" + config + "'; UPDATE sqlite_sequence SET seq = 7");
  }
  EXPECT_TRUE(recover().whole());
  EXPECT_EQ(found("SELECT auroc FROM results WHERE trial = '" + id + "'"), "0.75");
  EXPECT_EQ(Store(out_, Store::Mode::read).next_lease(), 8);
}

TEST_F(Recover, LeavesOutATrialWhoseIdIsNotThatOfItsFields) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}));
    store.record_outcome(outcome(trial(0), begin(store, trial(0)), {evaluation(kKde, 0.5)}));
    store.close();
  }
  // One wrong bit is enough, on a page that is whole otherwise.
  SQLite::Database(path_, SQLite::OPEN_READWRITE)
      .exec("UPDATE trial SET config = json_set(config, '$.seed', 9) WHERE id = '" +
            id_of(trial(0)) + "'");
  const Recovered recovered = recover();
  EXPECT_FALSE(recovered.whole());
  EXPECT_EQ(found("SELECT count(*) FROM trial"), "1");
  EXPECT_EQ(found("SELECT count(*) FROM outcome"), "0");
}

// One wrong bit on a page that is whole otherwise: a name that is none, and text that is no JSON.
TEST_F(Recover, TakesARowWhoseTextCannotBeReadForUnreadable) {
  Spec planned = spec();
  planned.text = R"({"name": "sweep", "trial": {"dataset": "synthetic", "class": 0, "steps": 2},
    "evaluate": {"features": ["pool"], "classifiers": ["kde", "gde"]},
    "tables": {"main": {"rows": "classifier", "columns": "features"}}})";
  planned = parse_spec(planned.text, "sweep");
  const Expansion all = expand(planned);
  const Trial only = all.trials.at(0).trial;
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(planned, all);
    store.record_outcome(
        outcome(only, begin(store, only), {evaluation(kKde, 0.5), evaluation(kGde, 0.75)}));
    store.close();
  }
  const std::string whole = content_of(path_);
  for (const char* damage : {"UPDATE evaluation SET classifier = 'kdr' WHERE classifier = 'kde'",
                             "UPDATE evaluation SET parameters = '{x' WHERE classifier = 'kde'",
                             "UPDATE request SET classifier = 'kdr' WHERE classifier = 'kde'",
                             "UPDATE request SET parameters = '{' WHERE classifier = 'kde'",
                             "UPDATE sweep SET tables = '{'"}) {
    std::ofstream(path_, std::ios::binary) << whole;
    SQLite::Database(path_, SQLite::OPEN_READWRITE).exec(damage);
    fs::remove(out_);
    EXPECT_FALSE(recover().whole()) << damage;
    const SweepResults results = Store(out_, Store::Mode::read).results();
    EXPECT_EQ(results.tables.size(), 1u) << damage;
    EXPECT_EQ(results.requests.size(), 2u) << damage;
    const bool lost = std::string(damage).find("evaluation") != std::string::npos;
    EXPECT_EQ(results.results.size(), lost ? 1u : 2u) << damage;
  }
}

TEST_F(Recover, RemovesTheCopyThatItReadsAndSaysWhatLacks) {
  Store store(path_, Store::Mode::write, Journal::wal);
  store.record_sweep(spec(), expansion({trial(0)}));
  fs::create_directory(folder_ / "left");
  for (const char* part : {"", "-wal"})
    fs::copy_file(path_ + part, folder_ / "left" / ("occam.db" + std::string(part)));
  path_ = (folder_ / "left" / "occam.db").string();
  // Of one that was killed.
  std::ofstream(out_ + ".reading") << "half a copy";
  EXPECT_TRUE(recover().whole());
  fs::remove(out_);
  // No file can be written there.
  fs::create_directories(out_ + ".reading-wal/folder");
  EXPECT_THAT(message_of([&] { recover(); }),
              testing::HasSubstr("out.db.reading: cannot be written: "));
  EXPECT_FALSE(fs::exists(out_ + ".reading"));
}

TEST_F(Recover, RefusesWhatIsNotOursOrIsBeingWritten) {
  SQLite::Database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
      .exec("CREATE TABLE t(x); INSERT INTO t VALUES (1)");
  EXPECT_THAT(message_of([&] { recover(); }), testing::HasSubstr("no row of occam's"));
  fs::remove(path_);
  const Store writer(path_, Store::Mode::write);
  EXPECT_THAT(message_of([&] { recover(); }), testing::HasSubstr("writes it; wait"));
}

}  // namespace
}  // namespace occam
