// A gang trains the network that one device trains.
#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <atomic>

#include "tests/message_of.h"
#include "tests/worker/every_loss.h"
#include "tests/worker/gang.h"
#include "tests/worker/sample.h"
#include "worker/data/synthetic.h"
#include "worker/distributed/across.h"
#include "worker/run_trial.h"
#include "worker/train/losses.h"
#include "worker/train/train.h"

namespace occam {
namespace {

using torch::Tensor;

Trial gang_trial(Loss loss) {
  Trial trial;
  trial.dataset = Dataset::synthetic;
  trial.loss = loss;
  trial.depth = 10;
  trial.width = 0.125;
  trial.head_layers = 1;
  trial.head_width = 32;
  trial.embedding = 16;
  trial.batch_size = 16;
  trial.learning_rate = 1e-6;
  trial.schedule = Schedule::constant;
  trial.steps = 50;
  trial.train_limit = 64;
  return canonical(trial);
}

Tensor train_images() {
  const Tensor drawn = synthetic_images().train.images.narrow(0, 0, 64).to(torch::kFloat32);
  return at::avg_pool2d(drawn, {2, 2}).round().to(torch::kUInt8);
}

struct Trained {
  Tensor weights, statistics;
  std::vector<double> losses;
  std::int64_t steps = 0;
  bool stopped = false;
};

Trained trained(const Trial& trial, Group* group, const std::optional<TrainingState>& from = {},
                TrainingHooks hooks = {}) {
  Bench bench(torch::kCPU);
  Trained made;
  hooks.on_epoch = [&](const Progress& progress) { made.losses.push_back(progress.loss); };
  const Training training = train(trial, train_images(), bench, from, hooks, group);
  made.weights = training.network->flat().clone();
  made.statistics = training.network->statistics().clone();
  made.steps = training.steps;
  made.stopped = training.stopped;
  return made;
}

std::vector<Trained> trained_by(std::int64_t size, const Trial& trial) {
  std::vector<Trained> made(static_cast<std::size_t>(size));
  as_gang(size, [&](Group& group) {
    made[static_cast<std::size_t>(group.rank())] = trained(trial, &group);
  });
  return made;
}

class GangOfLoss : public testing::TestWithParam<Loss> {};
INSTANTIATE_TEST_SUITE_P(Gang, GangOfLoss, testing::ValuesIn(every_loss()), loss_name);

// At a rate at which a rounding does not grow out of sight: a batch norm over few rows and a cosine
// of neighbours turn 1e-7 into 1e-3 of a gradient, and at the usual rate one device on two threads,
// which is another order of sums, is as far from itself as from a gang.
TEST_P(GangOfLoss, EndsAfterFiftyStepsWhereOneDeviceDoes) {
  const Trial trial = gang_trial(GetParam());
  const Trained alone = trained(trial, nullptr);
  const double moved = relative(alone.weights, Network(trial, torch::kCPU).flat());
  const Trained of_one = trained_by(1, trial)[0];
  EXPECT_TRUE(same_bits(of_one.weights, alone.weights));
  EXPECT_TRUE(same_bits(of_one.statistics, alone.statistics));
  EXPECT_EQ(of_one.losses, alone.losses);
  for (const std::int64_t size : {2, 4}) {
    const std::vector<Trained> gang = trained_by(size, trial);
    const double weights = relative(gang[0].weights, alone.weights);
    const double statistics = relative(gang[0].statistics, alone.statistics);
    std::cout << to_string(trial.loss) << ", " << size << " members: parameters moved by " << moved
              << " and differ by " << weights << ", statistics by " << statistics << "\n";
    EXPECT_LT(weights, 1e-5);
    EXPECT_LT(weights, 0.05 * moved) << "a wrong gradient";
    EXPECT_LT(statistics, 1e-3) << "they follow the parameters, many times larger";
    // Of few rows; 2e-3 of 4 on some processors.
    EXPECT_NEAR(gang[0].losses.back(), alone.losses.back(), 1e-2);
    for (std::int64_t rank = 1; rank < size; ++rank) {
      EXPECT_TRUE(same_bits(gang[rank].weights, gang[0].weights));
      EXPECT_TRUE(same_bits(gang[rank].statistics, gang[0].statistics));
      EXPECT_EQ(gang[rank].losses, gang[0].losses);
    }
  }
}

// One update at the usual rate: not a factor of the members too much or too little.
TEST_P(GangOfLoss, TakesTheStepOfOneDevice) {
  Trial trial = gang_trial(GetParam());
  trial.learning_rate = 0.01;
  trial.head_layers = 2;
  trial.steps = 1;
  const Tensor start = Network(trial, torch::kCPU).flat();
  const Tensor alone = trained(trial, nullptr).weights - start;
  for (const std::int64_t size : {2, 4})
    EXPECT_LT(relative(trained_by(size, trial)[0].weights - start, alone), 0.02);
}

TEST_P(GangOfLoss, GivesTheSameBitsAgain) {
  Trial trial = gang_trial(GetParam());
  trial.steps = 8;
  EXPECT_TRUE(same_bits(trained_by(2, trial)[0].weights, trained_by(2, trial)[0].weights));
}

// What each member makes of its rows' outputs, by the loss of the whole batch, against autograd of
// the whole batch at once.
TEST_P(GangOfLoss, HasTheGradientOfTheWholeBatch) {
  const Trial trial = gang_trial(GetParam());
  const std::int64_t views = images_per_step(trial) / trial.batch_size, width = 4;
  at::manual_seed(3);
  const Tensor whole = at::randn({views * trial.batch_size, width}).requires_grad_(true);
  const auto loss_of = [&](const Tensor& rows) {
    NetworkOutput output;
    output.embed = output.logits = rows;
    return step_loss(trial, output).loss;
  };
  loss_of(whole).backward();
  for (const std::int64_t size : {2, 4})
    as_gang(size, [&](Group& group) {
      Tensor rows = own_rows(whole.detach(), views, group).clone().requires_grad_(true);
      const Tensor loss = loss_of(gather_views(rows, views, group));
      EXPECT_FLOAT_EQ(loss.item<float>(), loss_of(whole.detach()).item<float>());
      loss.backward();
      EXPECT_LT(relative(rows.grad(), own_rows(whole.grad(), views, group)), 1e-6);
    });
}

TEST(Gang, NormalisesAsOneDeviceDoesFarFromZeroToo) {
  at::manual_seed(5);
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{16, 6, 5, 5}, std::vector<std::int64_t>{16, 6}}) {
    const Tensor x = (at::randn(sizes) * 0.5 + 20).to(torch::kFloat64);
    const Tensor incoming = at::randn(sizes).to(torch::kFloat64);
    Tensor whole = x.clone().requires_grad_(true);
    Tensor gamma = (at::rand({6}) + 0.5).to(torch::kFloat64).requires_grad_(true);
    Tensor beta = at::randn({6}).to(torch::kFloat64).requires_grad_(true);
    Tensor mean = at::randn({6}).to(torch::kFloat64), variance = at::ones({6}, torch::kFloat64);
    const Tensor mean_before = mean.clone(), variance_before = variance.clone();
    const Tensor y = at::batch_norm(whole, gamma, beta, mean, variance, true, 0.1, 1e-5, false);
    y.backward(incoming);
    for (const std::int64_t members : {2, 4})
      as_gang(members, [&](Group& group) {
        const std::int64_t share = 16 / members;
        const auto own = [&](const Tensor& t) {
          return t.narrow(0, group.rank() * share, share).to(torch::kFloat32);
        };
        Tensor rows = own(x).requires_grad_(true);
        Tensor of_gamma = gamma.detach().to(torch::kFloat32).requires_grad_(true);
        Tensor of_beta = beta.detach().to(torch::kFloat32).requires_grad_(true);
        Tensor own_mean = mean_before.to(torch::kFloat32),
               own_variance = variance_before.to(torch::kFloat32);
        const Tensor made =
            batch_norm_across(rows, of_gamma, of_beta, own_mean, own_variance, 0.1, 1e-5, group);
        made.backward(own(incoming));
        EXPECT_LT(relative(made, own(y.detach())), 2e-6 * 40) << "x is 40 deviations from zero";
        EXPECT_LT(relative(own_mean, mean), 1e-6);
        EXPECT_LT(relative(own_variance, variance), 1e-5);
        EXPECT_LT(relative(rows.grad(), own(whole.grad())), 1e-4);
        Tensor sums = at::stack({of_gamma.grad(), of_beta.grad()});
        group.all_reduce(sums);
        EXPECT_LT(relative(sums[0], gamma.grad()), 1e-4);
        EXPECT_LT(relative(sums[1], beta.grad()), 1e-5);
      });
  }
}

TEST(Gang, RefusesABatchThatDoesNotGoIntoItsParts) {
  Trial trial = gang_trial(Loss::rotation);
  trial.batch_size = 9;
  const std::string problem = message_of([&] { trained_by(2, trial); });
  EXPECT_NE(problem.find("batch_size 9 does not go into 2 equal parts"), std::string::npos)
      << problem;
}

TEST(Gang, GoesOnFromRankZerosStateToTheSameBits) {
  Trial trial = gang_trial(Loss::contrastive);
  trial.steps = 24;
  const Trained undisturbed = trained_by(2, trial)[0];
  // Only rank 1 is asked to stop, after 5 steps, and only rank 0 saves.
  std::optional<TrainingState> saved;
  std::vector<Trained> stopped(2);
  as_gang(2, [&](Group& group) {
    TrainingHooks hooks;
    std::int64_t step = 0;
    hooks.on_step = [&](std::int64_t now) { step = now; };
    hooks.stop_wanted = [&] { return group.rank() == 1 && step >= 5; };
    if (group.rank() == 0) hooks.save = [&](const TrainingState& state) { saved = state; };
    stopped[static_cast<std::size_t>(group.rank())] = trained(trial, &group, {}, hooks);
  });
  for (const Trained& one : stopped) {
    EXPECT_TRUE(one.stopped);
    EXPECT_EQ(one.steps, 16) << "both stop where they next agree";
  }
  ASSERT_TRUE(saved.has_value());
  EXPECT_EQ(saved->step, 16);
  std::vector<Trained> after(2);
  as_gang(2, [&](Group& group) {
    // Rank 1 has no state, or a wrong one.
    after[static_cast<std::size_t>(group.rank())] =
        trained(trial, &group, group.rank() == 0 ? saved : std::nullopt);
  });
  for (const Trained& one : after) {
    EXPECT_EQ(one.steps, 24);
    EXPECT_TRUE(same_bits(one.weights, undisturbed.weights));
    EXPECT_TRUE(same_bits(one.statistics, undisturbed.statistics));
  }
  EXPECT_EQ(after[0].losses.back(), undisturbed.losses.back());
}

TEST(Gang, DoesNotMove) {
  const Trial trial = gang_trial(Loss::rotation);
  std::atomic<int> asked{0};
  as_gang(2, [&](Group& group) {
    TrainingHooks hooks;
    hooks.moves = [&](double) { return ++asked > 0; };
    EXPECT_EQ(trained(trial, &group, {}, hooks).steps, budget(trial).steps);
  });
  EXPECT_EQ(asked, 0);
}

TEST(Gang, DivergesAsAWhole) {
  Trial trial = gang_trial(Loss::rotation);
  trial.learning_rate = 1000;
  trial.schedule = Schedule::constant;
  std::atomic<int> diverged{0};
  as_gang(2, [&](Group& group) {
    try {
      trained(trial, &group);
    } catch (const Diverged&) {
      ++diverged;
    }
  });
  EXPECT_EQ(diverged, 2);
}

}  // namespace
}  // namespace occam
