#include "orchestrator/gang_plan.h"

#include <gmock/gmock.h>

#include "orchestrator/missing_work.h"
#include "orchestrator/plan.h"
#include "tests/experiments/sample.h"

namespace occam {
namespace {

using testing::HasSubstr;

Trial batch(std::int64_t size, const std::string& precision = "bf16") {
  return trial(R"({"steps": 1000, "precision": ")" + precision + R"(", "batch_size": )" +
               std::to_string(size) + "}");
}
double milliseconds(const StepTime& time) { return 1e3 * time.total(); }

MissingWork work(const std::string& grid) {
  return missing_work(
      expansion(
          R"({"name": "x", "trial": {"dataset": "cifar10", "steps": 1000, "precision": "bf16"}, )" +
          grid + "}"),
      no_histories(expansion(
          R"({"name": "x", "trial": {"dataset": "cifar10", "steps": 1000, "precision": "bf16"}, )" +
          grid + "}")),
      "");
}
std::vector<std::int32_t> chosen(const std::string& grid, const GangMachine& machine) {
  const MissingWork all = work(grid);
  std::vector<std::int32_t> gpus;
  for (const GangChoice& one : choose_gangs(all.tasks, all.starts, machine, {}))
    gpus.push_back(one.gpus);
  return gpus;
}
using Gpus = std::vector<std::int32_t>;
const GangMachine kEight{true, 8, 8};

TEST(StepTime, IsThatOfTheMeasuredSteps) {
  // bench/README.md: images a second, two a row, of one slot, then of eight on four parts.
  EXPECT_NEAR(milliseconds(step_time(batch(32), 1)), 64 / 39.88, 0.1 * 64 / 39.88);
  EXPECT_NEAR(milliseconds(step_time(batch(256), 1)), 512 / 107.4, 0.05 * 512 / 107.4);
  EXPECT_NEAR(milliseconds(step_time(batch(2048), 1)), 4096 / 122.7, 0.05 * 4096 / 122.7);
  EXPECT_NEAR(1e3 * packed_step_seconds(batch(32)), 64 / 94.18, 0.05);
  const Trial rotation = trial(R"({"loss": "rotation", "batch_size": 64, "precision": "bf16"})");
  EXPECT_NEAR(1e3 * packed_step_seconds(rotation), 256 / 123.0, 0.05 * 256 / 123.0);
}

TEST(StepTime, OfTwoIsThatOfTheMeasuredGangs) {
  EXPECT_NEAR(milliseconds(step_time(batch(256), 2)), 512 / 166.7, 0.07 * 512 / 166.7);
  EXPECT_NEAR(milliseconds(step_time(batch(2048), 2)), 4096 / 233.0, 0.07 * 4096 / 233.0);
}

TEST(StepTime, OfTwoHasTheMeasuredCostOfTheirCollectives) {
  const StepTime two = step_time(batch(512), 2);
  EXPECT_NEAR(1e3 * two.norms, 0.15, 0.02) << "56 exchanges of statistics";
  EXPECT_NEAR(1e3 * two.gradients, 0.119, 0.015) << "27 MB in bf16";
  EXPECT_NEAR(1e3 * step_time(batch(512, "fp32"), 2).gradients, 0.213, 0.015) << "53 MB in fp32";
  EXPECT_EQ(step_time(batch(512), 1).norms + step_time(batch(512), 1).gradients, 0);
}

TEST(StepTime, TakesTheRateThatWasMeasuredWithAsManyOrElseTheNearestFewer) {
  const GangRates rates{{1, 2.0}, {4, 3.0}};
  const Trial one = batch(512);
  EXPECT_DOUBLE_EQ(step_time(one, 1, rates).total(), 2 * step_time(one, 1).total());
  EXPECT_DOUBLE_EQ(step_time(one, 2, rates).total(), 2 * step_time(one, 2).total());
  EXPECT_DOUBLE_EQ(step_time(one, 8, rates).total(), 3 * step_time(one, 8).total());
}

TEST(LargestGang, IsThePowerOfTwoThatDividesTheBatch) {
  EXPECT_EQ(largest_gang(batch(96)), 32);
  EXPECT_EQ(largest_gang(batch(33)), 1);
  EXPECT_EQ(largest_gang(trial(R"({"epochs": 0})")), 1);
}

TEST(ChooseGangs, GivesALargeBatchTheGpusThatWouldStandIdle) {
  EXPECT_EQ(chosen(R"("grid": {"class": 0, "gpus": "auto", "batch_size": [4096]})", kEight),
            (Gpus{8}));
  EXPECT_EQ(chosen(R"("grid": {"class": 0, "gpus": "auto", "batch_size": [512]})", kEight),
            (Gpus{2}));
  EXPECT_EQ(chosen(R"("grid": {"class": [0, 1], "gpus": "auto", "batch_size": [4096]})", kEight),
            (Gpus{4, 4}));
}

TEST(ChooseGangs, GivesSmallBatchesOneGpuHoweverManyStandIdle) {
  EXPECT_EQ(chosen(R"("grid": {"class": 0, "gpus": "auto", "batch_size": [32, 64, 128]})", kEight),
            (Gpus{1, 1, 1}));
}

TEST(ChooseGangs, GivesEveryTrialOfALargeSweepOneGpu) {
  const Gpus all =
      chosen(R"("grid": {"class": "all", "seed": [1, 2, 3], "gpus": "auto", "batch_size": [4096]})",
             kEight);
  EXPECT_EQ(all, Gpus(30, 1)) << "GPU hours first";
}

TEST(ChooseGangs, WidensTheLongTrialAmongManyShortOnes) {
  const Gpus all = chosen(R"("grid": {"class": "all", "gpus": "auto", "batch_size": [4096, 32]},
      "exclude": [{"batch_size": 4096, "class": [1, 2, 3, 4, 5, 6, 7, 8, 9]}])",
                          kEight);
  EXPECT_GE(all.at(0), 4);
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_EQ(all[i], 1);
}

TEST(ChooseGangs, StaysOnANodeAndWithinWhatThereIs) {
  EXPECT_EQ(chosen(R"("grid": {"class": 0, "gpus": "auto", "batch_size": [4096]})", {true, 8, 2}),
            (Gpus{2}));
  EXPECT_EQ(chosen(R"("grid": {"class": 0, "gpus": "auto", "batch_size": [4096]})", {true, 1, 1}),
            (Gpus{1}));
  EXPECT_EQ(chosen(R"("grid": {"class": 0, "gpus": "auto", "batch_size": [4096]})", {false, 8, 8}),
            (Gpus{1}));
}

TEST(ChooseGangs, TakesANumberAsItIsAndPredictsWhatItBrings) {
  const MissingWork all = work(R"("grid": {"class": 0, "gpus": 2, "batch_size": [64, 2048]})");
  const auto choices = choose_gangs(all.tasks, all.starts, kEight, {});
  EXPECT_EQ(choices[0].gpus, 2);
  EXPECT_LT(choices[0].speedup, 1.2);
  EXPECT_GT(choices[1].speedup, 1.8);
  EXPECT_LT(choices[1].speedup, 2);
  EXPECT_EQ(choices[1].most_gpus, 1) << "it was not asked to choose";
  EXPECT_EQ(choose_gangs(all.tasks, all.starts, {false, 8, 8}, {})[0].speedup, 2);
}

TEST(CheckGangs, RefusesAGangThatIsSlowerThanOneGpuWithTheFigures) {
  const MissingWork slow = work(R"("grid": {"class": 0, "gpus": 2, "batch_size": [32]})");
  EXPECT_THAT(message_of([&] { check_gang_speeds(slow.tasks, slow.starts, {}); }),
              testing::AllOf(HasSubstr("gpus 2 at batch_size 32 is predicted to be slower"),
                             HasSubstr("ms a step"), HasSubstr("against 1.50"),
                             HasSubstr("--force-gangs")));
  const MissingWork quick = work(R"("grid": {"class": 0, "gpus": 2, "batch_size": [512]})");
  check_gang_speeds(quick.tasks, quick.starts, {});
  EXPECT_THAT(message_of([&] {
                check_gang_speeds(quick.tasks, quick.starts, {{2, 9.0}});
              }),
              HasSubstr("slower"))
      << "as it was measured";
}

TEST(CheckGangs, RefusesAGangOfMoreThanThereAre) {
  const MissingWork wide = work(R"("grid": {"class": 0, "gpus": 4, "batch_size": [512]})");
  EXPECT_THAT(message_of([&] { check_gang_sizes(wide.tasks, 3); }),
              HasSubstr("wants gpus 4, and this run has 3 workers in all"));
  check_gang_sizes(wide.tasks, 4);
}

TEST(GangDevice, NamesTheSizeAndTheDevice) {
  EXPECT_EQ(gang_device(2, "NVIDIA H100 80GB HBM3"), "2 x NVIDIA H100 80GB HBM3");
  EXPECT_EQ(gang_size("16 x NVIDIA H100"), 16);
  EXPECT_EQ(gang_size("NVIDIA H100"), 1);
  EXPECT_EQ(gang_size("Foo x 3"), 1);
}

}  // namespace
}  // namespace occam
