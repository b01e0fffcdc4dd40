#include "worker/train/losses.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <functional>
#include <vector>

namespace occam {
namespace {

using Rows = std::vector<std::vector<double>>;

torch::Tensor tensor(const Rows& rows) {
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto width = static_cast<std::int64_t>(rows.front().size());
  torch::Tensor made = at::empty({count, width}, torch::kFloat64);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = 0; j < width; ++j) made.index_put_({i, j}, rows[i][j]);
  return made;
}

const Rows kAnchors{{1, 2, -1}, {0.5, -1, 2}, {-2, 0.3, 1}, {1.5, 1, 1}};
const Rows kOthers{{0.9, 2.5, -0.5}, {1, -1, 1}, {-1, 1, 2}, {2, -0.5, 0.7}};

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double dot = 0, square_a = 0, square_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    dot += a[i] * b[i];
    square_a += a[i] * a[i];
    square_b += b[i] * b[i];
  }
  return dot / std::sqrt(square_a * square_b);
}

// Mean over anchors of -log exp(s_ii / t) / sum_j exp(s_ij / t), j in the anchor's group.
double plain_info_nce(const Rows& anchors, const Rows& others, double temperature,
                      std::size_t group) {
  double sum = 0;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    double denominator = 0;
    const std::size_t first = i / group * group;
    for (std::size_t j = first; j < first + group; ++j)
      denominator += std::exp(cosine(anchors[i], others[j]) / temperature);
    sum += std::log(denominator) - cosine(anchors[i], others[i]) / temperature;
  }
  return sum / static_cast<double>(anchors.size());
}

// SimCLR's loss: both views are anchors, all 2B - 2 other rows are negatives.
double symmetric_nt_xent(const Rows& anchors, const Rows& others, double temperature) {
  Rows all = anchors;
  all.insert(all.end(), others.begin(), others.end());
  double sum = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    double denominator = 0;
    for (std::size_t j = 0; j < all.size(); ++j)
      if (j != i) denominator += std::exp(cosine(all[i], all[j]) / temperature);
    const std::size_t partner = (i + anchors.size()) % all.size();
    sum += std::log(denominator) - cosine(all[i], all[partner]) / temperature;
  }
  return sum / static_cast<double>(all.size());
}

double info_nce_of(const Rows& anchors, const Rows& others, double temperature,
                   std::int64_t negatives = 0) {
  return info_nce(tensor(anchors), tensor(others), temperature, negatives).loss.item<double>();
}

// Central differences of `loss` at `at`.
torch::Tensor numeric_gradient(const std::function<double(const torch::Tensor&)>& loss,
                               const torch::Tensor& at) {
  constexpr double step = 1e-5;
  torch::Tensor gradient = at::zeros_like(at);
  for (std::int64_t i = 0; i < at.numel(); ++i) {
    torch::Tensor above = at.clone(), below = at.clone();
    above.view(-1)[i] += step;
    below.view(-1)[i] -= step;
    gradient.view(-1)[i] = (loss(above) - loss(below)) / (2 * step);
  }
  return gradient;
}

TEST(InfoNce, IsOneDirectionalWithBatchMinusOneNegatives) {
  for (double temperature : {0.1, 0.2, 1.0})
    EXPECT_NEAR(info_nce_of(kAnchors, kOthers, temperature),
                plain_info_nce(kAnchors, kOthers, temperature, 4), 1e-12);
}

// Two rows at right angles: the target scores 1 / t, the one negative 0.
TEST(InfoNce, OfTwoOrthogonalPairsIsTheClosedForm) {
  EXPECT_NEAR(info_nce_of({{3, 0}, {0, 0.1}}, {{2, 0}, {0, 7}}, 0.5), std::log1p(std::exp(-2.0)),
              1e-12);
}

TEST(InfoNce, IsNotTheSymmetricNtXent) {
  const double found = info_nce_of(kAnchors, kOthers, 0.2);
  EXPECT_GT(std::abs(found - symmetric_nt_xent(kAnchors, kOthers, 0.2)), 0.1);
  // Turning the roles of the views around is another loss.
  EXPECT_GT(std::abs(found - info_nce_of(kOthers, kAnchors, 0.2)), 1e-3);
}

TEST(InfoNce, HasNoAnchorAmongItsNegatives) {
  // Equal anchors would be the hardest negatives of each other; the loss does not see them so.
  const Rows same{{1, 0}, {1, 0}, {1, 0}};
  EXPECT_NEAR(info_nce_of(same, {{1, 0}, {-1, 0}, {-1, 0}}, 1),
              (std::log(1 + 2 * std::exp(-2.0)) + 2 * std::log(2 + std::exp(2.0))) / 3, 1e-12);
}

TEST(InfoNce, DoesNotSeeTheLengthsOfRows) {
  Rows longer = kAnchors;
  for (double& value : longer[1]) value *= 50;
  EXPECT_NEAR(info_nce_of(longer, kOthers, 0.2), info_nce_of(kAnchors, kOthers, 0.2), 1e-12);
}

TEST(InfoNce, WithFewerNegativesComparesInsideGroupsOfTheBatch) {
  for (std::int64_t negatives : {1, 3})
    EXPECT_NEAR(info_nce_of(kAnchors, kOthers, 0.2, negatives),
                plain_info_nce(kAnchors, kOthers, 0.2, static_cast<std::size_t>(negatives) + 1),
                1e-12);
}

TEST(InfoNce, AccuracyIsTheShareOfAnchorsNearestToTheirOwnView) {
  const auto accuracy = [](const Rows& others) {
    return info_nce(tensor(kAnchors), tensor(others), 0.2).accuracy.item<double>();
  };
  EXPECT_EQ(accuracy(kOthers), 1);
  EXPECT_EQ(accuracy({kOthers[0], kOthers[1], kOthers[3], kOthers[2]}), 0.5);
  EXPECT_EQ(accuracy({kOthers[1], kOthers[2], kOthers[3], kOthers[0]}), 0);
}

TEST(InfoNce, SendsItsGradientIntoBothViews) {
  const torch::Tensor anchors = tensor(kAnchors).requires_grad_();
  const torch::Tensor others = tensor(kOthers).requires_grad_();
  for (std::int64_t negatives : {0, 1}) {
    const LossValue value = info_nce(anchors, others, 0.2, negatives);
    const auto gradients = torch::autograd::grad({value.loss}, {anchors, others});
    const torch::Tensor of_anchors = numeric_gradient(
        [&](const torch::Tensor& x) {
          return info_nce(x, others, 0.2, negatives).loss.item<double>();
        },
        tensor(kAnchors));
    const torch::Tensor of_others = numeric_gradient(
        [&](const torch::Tensor& x) {
          return info_nce(anchors, x, 0.2, negatives).loss.item<double>();
        },
        tensor(kOthers));
    EXPECT_TRUE(at::allclose(gradients[0], of_anchors, 1e-6, 1e-8));
    EXPECT_TRUE(at::allclose(gradients[1], of_others, 1e-6, 1e-8));
    EXPECT_GT(gradients[1].abs().max().item<double>(), 0.01);
    EXPECT_FALSE(value.accuracy.requires_grad());
  }
}

double nt_xent_of(const Rows& first, const Rows& second, double temperature, std::int64_t group) {
  return nt_xent(tensor(first), tensor(second), temperature, group).loss.item<double>();
}

TEST(NtXent, HasBothViewsAsAnchorsAndAllOtherRowsAsNegatives) {
  for (double temperature : {0.1, 0.2, 1.0}) {
    EXPECT_NEAR(nt_xent_of(kAnchors, kOthers, temperature, 4),
                symmetric_nt_xent(kAnchors, kOthers, temperature), 1e-12);
    EXPECT_NEAR(nt_xent_of(kOthers, kAnchors, temperature, 4),
                nt_xent_of(kAnchors, kOthers, temperature, 4), 1e-12)
        << "the views' roles are the same";
  }
}

// Two rows at right angles, both views equal: the target scores 1 / t, the two negatives 0.
TEST(NtXent, OfTwoOrthogonalPairsIsTheClosedForm) {
  EXPECT_NEAR(nt_xent_of({{3, 0}, {0, 0.1}}, {{2, 0}, {0, 7}}, 0.5, 2),
              std::log1p(2 * std::exp(-2.0)), 1e-12);
}

TEST(NtXent, InGroupsIsTheMeanOfTheGroupsLosses) {
  const auto half = [](const Rows& rows, int which) {
    return Rows(rows.begin() + 2 * which, rows.begin() + 2 * which + 2);
  };
  EXPECT_NEAR(nt_xent_of(kAnchors, kOthers, 0.2, 2),
              (symmetric_nt_xent(half(kAnchors, 0), half(kOthers, 0), 0.2) +
               symmetric_nt_xent(half(kAnchors, 1), half(kOthers, 1), 0.2)) /
                  2,
              1e-12);
}

TEST(NtXent, AccuracyIsTheShareOfAnchorsNearestToTheirPartner) {
  // Rows 0 and 1 prefer each other's views to their own, in both directions; rows 2 and 3 do not.
  const Rows first{{1, 0, 0}, {0.9, 0.1, 0}, {0, 1, 0}, {0, 0, 1}};
  const Rows second{{0.8, -0.6, 0}, {0.7, 0.7, 0}, {0, 1, 0.1}, {0, 0.1, 1}};
  double right = 0;
  Rows all = first;
  all.insert(all.end(), second.begin(), second.end());
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t best = i == 0 ? 1 : 0;
    for (std::size_t j = 0; j < 8; ++j)
      if (j != i && cosine(all[i], all[j]) > cosine(all[i], all[best])) best = j;
    right += best == (i + 4) % 8 ? 1.0 : 0.0;
  }
  ASSERT_GT(right, 0);
  ASSERT_LT(right, 8);
  EXPECT_EQ(nt_xent(tensor(first), tensor(second), 0.2, 4).accuracy.item<double>(), right / 8);
}

TEST(NtXent, SendsItsGradientIntoBothViews) {
  const torch::Tensor first = tensor(kAnchors).requires_grad_();
  const torch::Tensor second = tensor(kOthers).requires_grad_();
  for (std::int64_t group : {4, 2}) {
    const auto gradients =
        torch::autograd::grad({nt_xent(first, second, 0.2, group).loss}, {first, second});
    const auto of_first = [&](const torch::Tensor& x) {
      return nt_xent(x, second, 0.2, group).loss.item<double>();
    };
    const auto of_second = [&](const torch::Tensor& x) {
      return nt_xent(first, x, 0.2, group).loss.item<double>();
    };
    EXPECT_TRUE(
        at::allclose(gradients[0], numeric_gradient(of_first, tensor(kAnchors)), 1e-6, 1e-8));
    EXPECT_TRUE(
        at::allclose(gradients[1], numeric_gradient(of_second, tensor(kOthers)), 1e-6, 1e-8));
  }
}

// Four rotations of two sources: rows 2k and 2k + 1 are turned by k quarters.
const Rows kLogits{{2, 1, 0, -1}, {0, 0, 0, 0}, {1, 3, 0, 0},  {5, 1, 1, 1},
                   {0, 0, 4, 0},  {1, 2, 3, 4}, {0, 1, 0, 2.}, {-1, -2, -3, 1}};

TEST(RotationPrediction, IsTheMeanCrossEntropyOfAllRowsAgainstTheirTurns) {
  double sum = 0;
  for (std::size_t row = 0; row < kLogits.size(); ++row) {
    double denominator = 0;
    for (double logit : kLogits[row]) denominator += std::exp(logit);
    sum += std::log(denominator) - kLogits[row][row / 2];
  }
  EXPECT_NEAR(rotation_prediction(tensor(kLogits)).loss.item<double>(), sum / 8, 1e-12);
}

TEST(RotationPrediction, AccuracyIsTheShareOfTurnsSeen) {
  // Rights: rows 0, 1 (the first of ties), 2, 4, 6, 7; wrongs: 3 and 5.
  EXPECT_EQ(rotation_prediction(tensor(kLogits)).accuracy.item<double>(), 0.75);
}

TEST(RotationPrediction, HasTheGradientOfItsFormula) {
  const torch::Tensor logits = tensor(kLogits).requires_grad_();
  const auto gradient = torch::autograd::grad({rotation_prediction(logits).loss}, {logits});
  const torch::Tensor expected = numeric_gradient(
      [](const torch::Tensor& x) { return rotation_prediction(x).loss.item<double>(); },
      tensor(kLogits));
  EXPECT_TRUE(at::allclose(gradient[0], expected, 1e-6, 1e-8));
}

}  // namespace
}  // namespace occam
