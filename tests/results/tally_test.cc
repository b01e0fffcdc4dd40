#include "results/tally.h"

#include <SQLiteCpp/Database.h>

#include <fstream>
#include <random>

#include "tests/results/sample.h"

namespace occam {
namespace {

// What the table should hold, by sums and joins that have nothing of the store's.
constexpr const char* kCounted = R"sql(
SELECT json_group_array(json_array(w.name,
  (SELECT count(*) FROM sweep_trial s WHERE s.sweep = w.name AND s.orphaned_at IS NULL),
  (SELECT json_array(coalesce(sum(status = 'completed'), 0), coalesce(sum(status = 'diverged'), 0),
     coalesce(sum(collapsed != ''), 0), total(train_seconds), total(evaluate_seconds))
   FROM sweep_trial s JOIN outcome o USING (trial)
   WHERE s.sweep = w.name AND s.orphaned_at IS NULL AND o.retired_at IS NULL),
  (SELECT coalesce(min(started_at), '') FROM sweep_trial s JOIN attempt a USING (trial)
   WHERE s.sweep = w.name AND s.orphaned_at IS NULL),
  (SELECT coalesce(max(recorded_at), '') FROM sweep_trial s JOIN outcome o USING (trial)
   WHERE s.sweep = w.name AND s.orphaned_at IS NULL)))
FROM (SELECT name FROM sweep ORDER BY name) w)sql";

constexpr const char* kStored = R"sql(
SELECT json_group_array(json_array(sweep, trials,
  json_array(completed, diverged, collapsed, train_seconds, evaluate_seconds), started_at,
  last_outcome_at))
FROM (SELECT * FROM tally ORDER BY sweep))sql";

class TallyTest : public StoreTest {
 protected:
  std::string ask(const char* sql) const {
    return SQLite::Database(path_).execAndGet(sql).getString();
  }
  void change(const std::string& sql) const {
    SQLite::Database(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec(sql);
  }
};

Expansion some_of(const std::vector<Trial>& trials, std::mt19937& random) {
  std::vector<Trial> some;
  for (const Trial& one : trials)
    if (random() % 3 > 0) some.push_back(one);
  return expansion(some, {kKde, kGde});
}

// An attempt at one of the trials, and how it may end; seconds whose sums are exact.
void try_one(Store& store, const Trial& trial, std::mt19937& random) {
  const std::int64_t lease = begin(store, trial);
  std::vector<Evaluation> scores{evaluation(kKde, 0.5)};
  if (random() % 2 > 0) scores.push_back(evaluation(kGde, 0.5));
  Outcome brought = outcome(trial, lease, scores);
  brought.train_seconds = 0.25 * static_cast<double>(random() % 100);
  brought.collapsed = random() % 4 > 0 ? "" : "no spread";
  switch (random() % 8) {
    case 0:
      store.end_attempt(lease, AttemptState::lost, "x");
      return;
    case 1:
      brought.status = OutcomeStatus::failed;
      break;
    case 2:
      brought.status = OutcomeStatus::diverged;
      brought.evaluations.clear();
      break;
  }
  store.record_outcome(brought);
}

TEST_F(TallyTest, IsWhatACountAnewGivesWhateverIsRecorded) {
  std::vector<Trial> trials;
  for (int i = 0; i < 10; ++i) trials.push_back(trial(i));
  const std::string shard = (folder_ / "shard.db").string();
  for (unsigned seed = 0; seed < 8; ++seed) {
    std::mt19937 random(seed);
    const auto fill = [&](const std::string& path, int steps) {
      Store store(path, Store::Mode::write);
      // Attempts may only be at recorded trials.
      store.record_sweep(spec("all"), expansion(trials, {kKde, kGde}));
      for (int step = 0; step < steps; ++step) {
        const Trial& one = trials[random() % trials.size()];
        switch (random() % 12) {
          case 0:
            store.record_sweep(spec(random() % 2 > 0 ? "a" : "b"), some_of(trials, random));
            break;
          case 1:
            store.retry({id_of(one)});
            break;
          case 2:
            store.forget({id_of(one)}, "");
            break;
          case 3:
            store.cancel({id_of(one)});
            break;
          default:
            try_one(store, one, random);
        }
        if (path == path_) {
          ASSERT_EQ(ask(kStored), ask(kCounted)) << "seed " << seed << ", step " << step;
        }
      }
      store.close();
    };
    fill(path_, 60);
    fill(shard, 20);
    Store(path_, Store::Mode::write).merge({shard}, MergeRule::latest);
    EXPECT_EQ(ask(kStored), ask(kCounted)) << "merged, seed " << seed;
    std::filesystem::remove(path_);
    std::filesystem::remove(shard);
  }
}

// As a program that knows nothing of it would leave the file.
TEST_F(TallyTest, IsCountedAnewAfterAChangeByAnotherHand) {
  {
    Store store(path_, Store::Mode::write);
    store.record_sweep(spec(), expansion({trial(0), trial(1)}, {kKde, kGde}));
    for (const int i : {0, 1})
      store.record_outcome(outcome(trial(i), begin(store, trial(i)), {evaluation(kKde, 0.5)}));
  }
  for (const char* sql :
       {"UPDATE outcome SET train_seconds = train_seconds + 1",
        "UPDATE outcome SET status = 'diverged'", "UPDATE outcome SET recorded_at = '2020'",
        "UPDATE attempt SET started_at = '2020'", "UPDATE sweep_trial SET orphaned_at = '2020'",
        "UPDATE sweep_trial SET orphaned_at = NULL",
        "DELETE FROM evaluation; DELETE FROM outcome WHERE attempt = 1", "DELETE FROM attempt",
        "DELETE FROM sweep_trial WHERE position = 0",
        "INSERT INTO sweep_trial(sweep, position, trial, variant, list) "
        "SELECT 'sweep', 0, id, '', 0 FROM trial WHERE id NOT IN (SELECT trial FROM "
        "sweep_trial)"}) {
    change(sql);
    EXPECT_EQ(ask("SELECT count(*) FROM tally"), "0") << sql;
    const SweepStatus read = Store(path_, Store::Mode::read).status()[0];
    { Store store(path_, Store::Mode::write); }
    EXPECT_EQ(ask(kStored), ask(kCounted)) << sql;
    const SweepStatus kept = Store(path_, Store::Mode::read).status()[0];
    EXPECT_EQ(read.trials, kept.trials) << sql;
    EXPECT_EQ(read.completed, kept.completed) << sql;
    EXPECT_EQ(read.diverged, kept.diverged) << sql;
    EXPECT_EQ(read.train_seconds, kept.train_seconds) << sql;
    EXPECT_EQ(read.started_at, kept.started_at) << sql;
    EXPECT_EQ(read.last_outcome_at, kept.last_outcome_at) << sql;
  }
}

TEST_F(TallyTest, IsFilledInADatabaseOfAnOlderOccam) {
  std::ifstream dump(OCCAM_SOURCE_DIR "/tests/golden/database-1.sql");
  change({std::istreambuf_iterator<char>(dump), {}});
  const SweepStatus before = Store(path_, Store::Mode::read).status()[0];
  EXPECT_EQ(before.completed, 1);
  { Store store(path_, Store::Mode::write); }
  EXPECT_EQ(ask("SELECT completed FROM tally"), "1");
  EXPECT_EQ(ask(kStored), ask(kCounted));
}

}  // namespace
}  // namespace occam
