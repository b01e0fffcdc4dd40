#include "results/beside.h"

#include <SQLiteCpp/Database.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "tests/results/sample.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

// As a killed writer leaves its files.
void die_after(const std::function<void()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    work();
    _exit(0);
  }
  int status = 1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
}

class Beside : public StoreTest {
 protected:
  // A finished one of its own, which then gets the name.
  void put_another_in_its_place() {
    const std::string other = (folder_ / "other.db").string();
    {
      Store store(other, Store::Mode::write, Journal::wal);
      store.record_sweep(spec(), expansion({trial(5)}));
      store.close();
    }
    fs::rename(other, path_);
  }
  void record_and_die(const std::vector<Trial>& trials) const {
    die_after([&] {
      Store* store = new Store(path_, Store::Mode::write, Journal::wal);
      store->record_sweep(spec(), expansion(trials));
    });
  }
  void expect_refused(const std::string& end) const {
    for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write})
      EXPECT_THAT(message_of([&] { Store(path_, mode); }),
                  HasSubstr(path_ + end + ": is of another file, which had the name"));
    EXPECT_GT(fs::file_size(path_ + end), 0u);
  }
};

TEST_F(Beside, ALogOfAnotherFileIsRefusedAndStays) {
  record_and_die({trial(0)});
  put_another_in_its_place();
  expect_refused("-wal");
  fs::rename(path_ + "-wal", path_ + "-wal.old");
  EXPECT_EQ(cell_of(Store(path_, Store::Mode::read), "SELECT id FROM trial"), id_of(trial(5)));
}

TEST_F(Beside, ALogOfALaterTimeThanARestoredCopysIsRefused) {
  {
    Store store(path_, Store::Mode::write, Journal::wal);
    store.record_sweep(spec(), expansion({trial(0)}));
    store.close();
  }
  fs::copy_file(path_, folder_ / "copy.db");
  // Its log has begun anew, so that what it wrote first is not in there.
  die_after([&] {
    Store* store = new Store(path_, Store::Mode::write, Journal::wal);
    store->record_sweep(spec(), expansion({trial(0), trial(1)}));
    SQLite::Database(path_, SQLite::OPEN_READWRITE).execAndGet("PRAGMA wal_checkpoint(RESTART)");
    store->record({{AttemptBegun{id_of(trial(1)), 1, worker()}}});
  });
  fs::copy_file(folder_ / "copy.db", path_, fs::copy_options::overwrite_existing);
  expect_refused("-wal");
}

TEST_F(Beside, TheFilesOwnLogIsTakenInUnderAnyName) {
  die_after([&] {
    Store* store = new Store(path_, Store::Mode::write, Journal::wal);
    store->record_sweep(spec(), expansion({trial(0)}));
    SQLite::Database(path_, SQLite::OPEN_READWRITE).exec("CREATE INDEX my_own ON trial(config)");
    store->record_sweep(spec(), expansion({trial(0), trial(1)}));
  });
  for (const char* end : {"", "-wal"})
    fs::copy_file(path_ + end, (folder_ / "copy.db").string() + end);
  for (const Store::Mode mode : {Store::Mode::read, Store::Mode::write})
    EXPECT_EQ(Store(folder_ / "copy.db", mode).status()[0].trials, 2);
}

// Such a copy is not told from the file itself, but the refusal leaves all as it is.
TEST_F(Beside, ACopyMadeWhileARunWroteStaysWholeBesideALogThatRuinsIt) {
  const auto write = [](Store& store, std::int64_t first) {
    for (std::int64_t i = first; i < first + 60; ++i)
      store.record_sweep(spec("sweep " + std::to_string(i)), expansion({trial(i % 10, i + 1)}));
  };
  die_after([&] {
    Store* store = new Store(path_, Store::Mode::write, Journal::wal);
    SQLite::Database other(path_, SQLite::OPEN_READWRITE);
    write(*store, 0);
    other.execAndGet("PRAGMA wal_checkpoint(RESTART)");
    fs::copy_file(path_, folder_ / "copy.db");
    write(*store, 60);
    other.execAndGet("PRAGMA wal_checkpoint(RESTART)");
    write(*store, 120);
  });
  fs::copy_file(folder_ / "copy.db", path_, fs::copy_options::overwrite_existing);
  const auto log = fs::file_size(path_ + "-wal");
  EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }),
              AllOf(HasSubstr("is damaged"), HasSubstr("whole without the log beside it: "
                                                       "mv " +
                                                       path_ + "-wal")));
  EXPECT_EQ(fs::file_size(path_ + "-wal"), log);
  fs::remove(path_ + "-wal");
  EXPECT_EQ(Store(path_, Store::Mode::write).status().size(), 60u);
}

TEST_F(Beside, ADamagedLogIsToldOfAndKept) {
  die_after([&] {
    Store* store = new Store(path_, Store::Mode::write, Journal::wal);
    for (std::int64_t i = 0; i < 9; ++i) store->record_sweep(spec(), expansion({trial(i)}));
  });
  std::fstream log(path_ + "-wal", std::ios::in | std::ios::out | std::ios::binary);
  log.seekp(static_cast<std::streamoff>(fs::file_size(path_ + "-wal") / 2));
  log.write("occam", 5).flush();
  const auto size = fs::file_size(path_ + "-wal");
  std::ofstream(path_ + "-wal.damaged") << "an earlier one";
  {
    const Store store(path_, Store::Mode::write);
    EXPECT_THAT(store.opening_text(), AllOf(HasSubstr(path_ + "-wal: is damaged"),
                                            HasSubstr(path_ + "-wal.damaged.2\n")));
    EXPECT_EQ(fs::file_size(path_ + "-wal.damaged"), 14u);
    EXPECT_EQ(fs::file_size(path_ + "-wal.damaged.2"), size);
  }
  EXPECT_EQ(Store(path_, Store::Mode::write).opening_text(), "") << "once";
}

TEST_F(Beside, AJournalOfAnotherFileIsRefusedAndStays) {
  {
    Store store(path_, Store::Mode::write, Journal::rollback);
    for (std::int64_t i = 0; i < 5; ++i) store.record_sweep(spec(), expansion({trial(i)}));
  }
  die_after([&] {
    auto* database = new SQLite::Database(path_, SQLite::OPEN_READWRITE);
    database->exec("PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN");
    // So much that it goes to the file before the end; the header with it.
    database->exec(
        "PRAGMA user_version = 6; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 20000) INSERT INTO sweep SELECT i, i + 1000, '', '', '' FROM n");
  });
  ASSERT_TRUE(fs::exists(path_ + "-journal"));
  fs::copy_file(path_, folder_ / "copy.db");
  fs::copy_file(path_ + "-journal", folder_ / "copy.db-journal");
  EXPECT_EQ(Store(folder_ / "copy.db", Store::Mode::read).status().size(), 1u) << "its own";
  put_another_in_its_place();
  expect_refused("-journal");
}

TEST_F(Beside, NoDatabaseIsMadeWhereSomethingOfOneThatWasMovedLies) {
  for (const char* end : {"-wal", "-journal", ".spool"}) {
    std::ofstream(path_ + end) << "results";
    EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }),
                HasSubstr("no such file, but " + path_ + end));
    EXPECT_EQ(files(), std::vector<std::string>{"occam.db" + std::string(end)});
    fs::remove(path_ + end);
  }
  std::ofstream(path_ + ".rescued") << "a copy";
  EXPECT_THAT(message_of([&] { Store(path_, Store::Mode::write); }),
              HasSubstr("to go on with it: mv " + path_ + ".rescued " + path_));
}

}  // namespace
}  // namespace occam
