#include "orchestrator/pace.h"

#include <SQLiteCpp/Database.h>
#include <gtest/gtest.h>

#include <optional>

#include "orchestrator/gang_plan.h"
#include "tests/results/sample.h"

namespace occam {
namespace {

constexpr const char* kGpu = "NVIDIA H100 80GB HBM3";

MissingWork work_of(const Trial& trial) {
  const Expansion one = expansion({trial}, {kPixelsKde});
  return missing_work(one, no_histories(one), "");
}
Pace predicted(const Trial& trial, bool on_gpus) { return paces(work_of(trial), on_gpus, {})[0]; }

Trial gpu_trial(std::int64_t inlier) {
  Trial one = trial(inlier);
  one.precision = Precision::bf16;
  return canonical(one);
}

class MeasuredScale : public StoreTest {
 protected:
  MeasuredScale() {
    std::vector<Trial> all;
    for (int i = 0; i < 8; ++i) all.push_back(gpu_trial(i));
    Spec sweep;
    sweep.name = "sweep";
    sweep.text = "{}";
    Store(path_, Store::Mode::write).record_sweep(sweep, expansion(all));
  }

  // A completed attempt on one of the host's workers, from one second to another.
  void attempt(const Trial& of, std::int64_t worker, const std::string& device, int begin, int end,
               double seconds) {
    Store store(path_, Store::Mode::write);
    const std::int64_t lease = store.next_lease();
    WorkerFacts facts{"host", device, "build", "torch"};
    facts.number = worker;
    store.begin_attempt(id_of(of), lease, facts);
    Outcome made = outcome(of, lease, {evaluation(kKde, 0.5)});
    made.train_seconds = seconds;
    made.evaluate_seconds = 0;
    ASSERT_TRUE(store.record_outcome(made));
    const auto at = [](int second) {
      return "strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-01', '+" + std::to_string(second) +
             " seconds')";
    };
    SQLite::Database(path_, SQLite::OPEN_READWRITE)
        .exec("UPDATE attempt SET started_at = " + at(begin) + ", ended_at = " + at(end) +
              " WHERE lease = " + std::to_string(lease));
  }
  std::optional<double> scale(bool on_gpus) const {
    const PaceScale found = measured_scale(Store(path_, Store::Mode::read), on_gpus);
    return found.is_measured() ? std::optional(found.of(gpu_trial(0))) : std::nullopt;
  }
};

TEST(Paces, SayWhatAUnitOfWorkTakesOfASlotWhereTrialsHaveBeenTimed) {
  MissingWork work = work_of(gpu_trial(0));
  PaceScale twice;
  twice.add(gpu_trial(1), 10, 20);
  const Pace pace = paces(work, true, twice)[0];
  EXPECT_DOUBLE_EQ(pace.alone, 2 * predicted(gpu_trial(0), true).alone);
  EXPECT_DOUBLE_EQ(seconds_per_work(work, true, twice, 1), pace.alone / work.tasks[0].work);
  EXPECT_DOUBLE_EQ(seconds_per_work(work, true, twice, 8), pace.seconds(7) / work.tasks[0].work);
  EXPECT_EQ(seconds_per_work(work, true, {}, 8), 0);
  EXPECT_EQ(seconds_per_work({}, true, twice, 8), 0);
}

TEST(Paces, TakeLessTimeTogetherThanOneAfterTheOtherOnAGpuAndTheSameOnACore) {
  const Pace gpu = predicted(gpu_trial(0), true), core = predicted(trial(0), false);
  EXPECT_GT(gpu.beside, 0);
  EXPECT_LT(gpu.beside, gpu.alone);
  // bench/README.md: a step of 64 images at 39,881 a second alone, and at 94,182 by eight.
  const auto steps = static_cast<double>(budget(gpu_trial(0)).steps);
  EXPECT_NEAR(gpu.alone / steps, 64 / 39881.0, 1.5e-4);
  EXPECT_NEAR(gpu.seconds(7) / 8 / steps, 64 / 94182.0, 1.5e-4);
  EXPECT_EQ(core.beside, 0);
  EXPECT_GT(core.alone, 0);
}

TEST_F(MeasuredScale, IsNothingUntilATrialHasBeenTimed) {
  EXPECT_EQ(scale(true), std::nullopt);
  EXPECT_EQ(scale(false), std::nullopt);
}

TEST_F(MeasuredScale, CountsTheTrialsThatSharedTheGpu) {
  const Pace pace = predicted(gpu_trial(0), true);
  const double slower = 100 / pace.seconds(1.5);
  attempt(gpu_trial(0), 0, kGpu, 0, 100, 100);
  attempt(gpu_trial(1), 0, kGpu, 0, 100, 100);
  attempt(gpu_trial(2), 0, kGpu, 50, 150, slower * pace.seconds(1));
  // Another GPU of the host has nothing to do with these.
  attempt(gpu_trial(3), 1, kGpu, 0, 100, slower * pace.alone);
  ASSERT_TRUE(scale(true));
  EXPECT_NEAR(*scale(true), slower, 1e-6 * slower);
  EXPECT_EQ(scale(false), std::nullopt);
}

TEST_F(MeasuredScale, LeavesOutWhatDidNotTrainHere) {
  attempt(gpu_trial(0), 0, "cpu", 0, 1000, 2 * predicted(trial(0), false).alone * 1e-3);
  const double alone = *scale(false);
  // Scores of kept features bring the seconds of the training that made them.
  attempt(gpu_trial(1), 0, "cpu", 1000, 1001, 5000);
  EXPECT_EQ(*scale(false), alone);
  EXPECT_EQ(scale(true), std::nullopt);
  attempt(gpu_trial(2), 1, "Tesla T4", 0, 100, 100);
  EXPECT_EQ(*scale(false), alone) << "whatever a GPU's name is";
  EXPECT_TRUE(scale(true));
}

TEST(PaceScale, IsOfTheSameLossAndPrecisionWhereTheseWereTimed) {
  Trial exact = trial(0), rotation = gpu_trial(0);
  rotation.loss = Loss::rotation;
  rotation = canonical(rotation);
  PaceScale scale;
  EXPECT_EQ(scale.of(exact), 1);
  scale.add(gpu_trial(0), 10, 15);
  scale.add(gpu_trial(1), 30, 65);
  EXPECT_EQ(scale.of(gpu_trial(2)), 2);
  EXPECT_EQ(scale.of(exact), 2) << "none of these was timed";
  scale.add(exact, 10, 40);
  scale.add(exact, 0, 40);
  EXPECT_EQ(scale.of(exact), 4);
  EXPECT_EQ(scale.of(gpu_trial(2)), 2);
  EXPECT_EQ(scale.of(rotation), 2.4) << "of all";
}

TEST_F(MeasuredScale, IsOfEachPrecisionByItselfAndSoArePaces) {
  const Trial half = gpu_trial(0), exact = trial(0);
  const Expansion both = expansion({half, exact}, {kPixelsKde});
  Store(path_, Store::Mode::write).record_sweep(spec(), both);
  attempt(half, 0, kGpu, 0, 1000, 2 * predicted(half, true).alone);
  attempt(exact, 1, kGpu, 0, 1000, 5 * predicted(exact, true).alone);
  const PaceScale found = measured_scale(Store(path_, Store::Mode::read), true);
  EXPECT_NEAR(found.of(gpu_trial(1)), 2, 1e-6);
  EXPECT_NEAR(found.of(trial(1)), 5, 1e-6);
  const MissingWork work = missing_work(both, no_histories(both), "");
  const auto all = paces(work, true, found), plain = paces(work, true, {});
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(all[i].alone / plain[i].alone,
                work.starts[i].config.precision == Precision::bf16 ? 2 : 5, 1e-6);
}

TEST_F(MeasuredScale, TakesTrialsOfOtherFilesForNoNeighbours) {
  const Pace pace = predicted(gpu_trial(0), true);
  attempt(gpu_trial(0), 0, kGpu, 50, 150, 100);
  attempt(gpu_trial(1), 0, kGpu, 0, 100, 100);  // merged: a later lease that began before
  EXPECT_NEAR(*scale(true), 100 / pace.alone, 1e-6 * *scale(true));
}

// What shares its GPU is slowed by its neighbours, which says nothing of gangs.
TEST_F(StoreTest, GangRatesAreThoseOfTrialsThatFillAGpu) {
  Store store(path_, Store::Mode::write);
  const auto rates = [&](double width) {
    Trial one = trial(0, 1, 2048);
    one.precision = Precision::bf16;
    one.width = width;
    one = canonical(one);
    store.record_sweep(spec(), expansion({one}));
    const std::int64_t lease = store.next_lease();
    store.begin_attempt(id_of(one), lease, {"host", kGpu, "build", "torch"});
    store.record_outcome(outcome(one, lease, {evaluation(kKde, 0.5)}));
    return measured_gang_rates(store);
  };
  EXPECT_TRUE(rates(0.25).empty());
  EXPECT_EQ(rates(1).count(1), 1u);
}

}  // namespace
}  // namespace occam
