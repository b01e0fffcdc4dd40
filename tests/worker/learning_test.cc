// Learning is proven where the answer is known: experiments/specs/synthetic.json, whose classes
// differ in orientation alone.

#include <gtest/gtest.h>

#include <memory>

#include "experiments/spec.h"
#include "tests/worker/sample.h"
#include "worker/run_trial.h"

namespace occam {
namespace {

class Learning : public testing::Test {
 protected:
  // The outcomes of the spec's trials of these classes that are trained, or that are not.
  static std::vector<Outcome> outcomes(bool trained, const std::vector<std::int64_t>& classes) {
    const Expansion expansion =
        expand(read_spec(OCCAM_SOURCE_DIR "/experiments/specs/synthetic.json"));
    const TemporaryFolder folder;
    ImageCache images(folder.path());
    std::vector<Outcome> found;
    for (const PlannedTrial& planned : expansion.trials) {
      const Trial& trial = planned.trial;
      const std::int64_t inlier = class_index(trial.dataset, trial.inlier);
      if (is_trained(trial) != trained ||
          std::find(classes.begin(), classes.end(), inlier) == classes.end())
        continue;
      Pulse pulse;
      auto bench = std::make_unique<Bench>(torch::kCPU);
      const Start start{
          id_of(trial),          trial, expansion.evaluations[planned.evaluations], 1, {},
          folder.path().string()};
      found.push_back(std::get<Outcome>(run_trial(start, images, bench, pulse, {})));
      EXPECT_EQ(found.back().status, OutcomeStatus::completed) << found.back().error;
    }
    EXPECT_EQ(found.size(), classes.size());
    return found;
  }
};

TEST_F(Learning, OfRotationsTellsOrientationsApart) {
  for (const Outcome& outcome : outcomes(true, {0, 1, 2, 3})) {
    EXPECT_GE(outcome.evaluations.size(), 2);
    for (const Evaluation& evaluation : outcome.evaluations)
      EXPECT_GE(evaluation.auroc, 0.95)
          << to_string(evaluation.request.classifier) << " " << outcome.trial;
  }
}

TEST_F(Learning, IsNotDoneByAnUntrainedNetwork) {
  for (const Outcome& outcome : outcomes(false, {0, 1, 2, 3})) {
    EXPECT_EQ(outcome.evaluations.size(), 4);
    for (const Evaluation& evaluation : outcome.evaluations)
      EXPECT_LE(evaluation.auroc, 0.60)
          << to_string(evaluation.request.classifier) << " " << outcome.trial;
  }
}

}  // namespace
}  // namespace occam
