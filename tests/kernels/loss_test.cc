// clang-format off
#include "tests/kernels/simt.h"
#include "worker/cuda/loss.cu"
// clang-format on
#include <gtest/gtest.h>

#include <numeric>

#include "tests/kernels/numbers.h"

namespace occam {
namespace {

using Floats = std::vector<float>;

struct Case {
  std::size_t rows, width, group;
};
// The first row has no length.
Floats embeddings_of(const Case& one) {
  Numbers numbers(5);
  Floats made(2 * one.rows * one.width);
  for (std::size_t i = 0; i < one.rows * one.width; ++i) {
    made[i] = 3 * numbers.next();
    made[one.rows * one.width + i] = made[i] + 2 * numbers.next();
  }
  std::fill_n(made.begin(), one.width, 0.0F);
  return made;
}

struct Expected {
  std::vector<double> losses, hits, gradient;
};
// From its definition, in double: one-directional, anchors against the others of their group.
Expected info_nce_of(const Case& one, const Floats& embeddings, double temperature) {
  const auto [rows, width, group] = one;
  std::vector<double> unit(embeddings.size()), norm(2 * rows), of_unit(unit.size());
  for (std::size_t row = 0; row < 2 * rows; ++row) {
    double square = 0;
    for (std::size_t i = 0; i < width; ++i) square += std::pow(embeddings[row * width + i], 2.0);
    norm[row] = std::max(std::sqrt(square), 1e-12);
    for (std::size_t i = 0; i < width; ++i)
      unit[row * width + i] = embeddings[row * width + i] / norm[row];
  }
  Expected made;
  made.gradient.resize(unit.size());
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t first = row / group * group;
    std::vector<double> logits(group);
    for (std::size_t j = 0; j < group; ++j)
      for (std::size_t i = 0; i < width; ++i)
        logits[j] += unit[row * width + i] * unit[(rows + first + j) * width + i] / temperature;
    const double most = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit - most);
    made.losses.push_back(most + std::log(sum) - logits[row - first]);
    made.hits.push_back(std::max_element(logits.begin(), logits.end()) - logits.begin() ==
                        static_cast<std::ptrdiff_t>(row - first));
    for (std::size_t j = 0; j < group; ++j) {
      const double slope = (std::exp(logits[j] - most) / sum - (j == row - first)) /
                           (static_cast<double>(rows) * temperature);
      for (std::size_t i = 0; i < width; ++i) {
        of_unit[row * width + i] += slope * unit[(rows + first + j) * width + i];
        of_unit[(rows + first + j) * width + i] += slope * unit[row * width + i];
      }
    }
  }
  for (std::size_t row = 0; row < 2 * rows; ++row) {
    const std::size_t at = row * width;
    const double along = std::inner_product(unit.begin() + static_cast<std::ptrdiff_t>(at),
                                            unit.begin() + static_cast<std::ptrdiff_t>(at + width),
                                            of_unit.begin() + static_cast<std::ptrdiff_t>(at), 0.0);
    for (std::size_t i = 0; i < width; ++i)
      made.gradient[at + i] = (of_unit[at + i] - unit[at + i] * along) / norm[row];
  }
  return made;
}

// The products that a library has between the parts.
Floats by_parts(const cuda::InfoNce& shape, const Floats& embeddings, Floats& losses,
                Floats& hits) {
  const auto rows = static_cast<std::size_t>(shape.rows),
             width = static_cast<std::size_t>(shape.width),
             group = static_cast<std::size_t>(shape.group);
  Floats units(embeddings.size(), NAN), inverse(2 * rows, NAN), of_units(embeddings.size()),
      slopes(rows * group), gradient(embeddings.size(), NAN);
  cuda::unit_rows(2 * shape.rows, shape.width, shape.element, embeddings.data(), units.data(),
                  inverse.data(), nullptr);
  const auto with_pairs = [&](auto work) {
    for (std::size_t row = 0; row < rows; ++row)
      for (std::size_t j = 0; j < group; ++j)
        for (std::size_t i = 0; i < width; ++i)
          work(row * group + j, row * width + i, (rows + row / group * group + j) * width + i);
  };
  with_pairs([&](auto pair, auto a, auto b) { slopes[pair] += units[a] * units[b]; });
  cuda::info_nce_slopes(shape, slopes.data(), losses.data(), hits.data(), nullptr);
  with_pairs([&](auto pair, auto a, auto b) {
    of_units[a] += slopes[pair] * units[b];
    of_units[b] += slopes[pair] * units[a];
  });
  cuda::through_units(2 * shape.rows, shape.width, shape.element, units.data(), inverse.data(),
                      of_units.data(), gradient.data(), nullptr);
  return gradient;
}

class InfoNce : public testing::TestWithParam<Case> {
 protected:
  static void expect(const Expected& expected, const Floats& losses, const Floats& hits,
                     const Floats& gradient) {
    Difference of_losses, of_gradient;
    for (std::size_t row = 0; row < losses.size(); ++row) {
      of_losses.add(losses[row], expected.losses[row]);
      EXPECT_EQ(hits[row], expected.hits[row]) << row;
    }
    // The row of length nothing has a gradient 1e12 times the others'.
    const std::size_t width = GetParam().width;
    for (std::size_t i = width; i < gradient.size(); ++i)
      of_gradient.add(gradient[i], expected.gradient[i]);
    EXPECT_LT(of_losses.relative(), 1e-6);
    EXPECT_LT(of_gradient.relative(), 1e-5);
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, InfoNce,
                         testing::Values(Case{2, 8, 2}, Case{24, 40, 24}, Case{24, 33, 8},
                                         Case{300, 20, 300}, Case{64, 128, 64}));

TEST_P(InfoNce, IsItsDefinition) {
  const Case one = GetParam();
  const Floats embeddings = embeddings_of(one);
  const cuda::InfoNce shape{static_cast<std::int64_t>(one.rows),
                            static_cast<std::int64_t>(one.width),
                            static_cast<std::int64_t>(one.group), 0.2F, cuda::Element::float32};
  const Expected expected = info_nce_of(one, embeddings, 0.2);
  Floats losses(one.rows, NAN), hits(one.rows, NAN);
  expect(expected, losses, hits, by_parts(shape, embeddings, losses, hits));
  if (shape.rows > cuda::kInfoNceMostRows) return;
  Floats scratch(static_cast<std::size_t>(cuda::info_nce_scratch(shape)), NAN);
  Floats gradient(embeddings.size(), NAN), others(one.rows, NAN), hits_of(one.rows, NAN);
  cuda::info_nce(shape, embeddings.data(), scratch.data(), gradient.data(), others.data(),
                 hits_of.data(), nullptr);
  expect(expected, others, hits_of, gradient);
}

TEST(InfoNceHits, AreOfTheFirstOfTheLargest) {
  Floats cosines = {0.5, 0.5, 0.1, 0.9, 0.9, 0.9, 0.2, 0.3, 0.8}, losses(3, NAN), hits(3, NAN);
  cuda::info_nce_slopes({3, 1, 3, 0.2F, cuda::Element::float32}, cosines.data(), losses.data(),
                        hits.data(), nullptr);
  EXPECT_EQ(hits, (Floats{1, 0, 1}));
}

TEST(RotationPrediction, IsTheCrossEntropyOfFour) {
  Numbers numbers(2);
  constexpr std::size_t kRows = 136;
  const Halves logits = numbers.halves(4 * kRows, 2);
  Halves gradient(logits.size());
  Floats losses(kRows, NAN), hits(kRows, NAN);
  cuda::rotation_prediction(kRows, cuda::Element::bfloat16, logits.data(), gradient.data(),
                            losses.data(), hits.data(), nullptr);
  Difference of_losses, of_gradient;
  for (std::size_t row = 0; row < kRows; ++row) {
    const std::size_t target = row / (kRows / 4);
    double sum = 0, most = -INFINITY;
    for (std::size_t k = 0; k < 4; ++k) {
      sum += std::exp(value(logits[4 * row + k]));
      most = std::max(most, value(logits[4 * row + k]));
    }
    of_losses.add(losses[row], std::log(sum) - value(logits[4 * row + target]));
    EXPECT_EQ(hits[row] > 0, value(logits[4 * row + target]) == most) << row;
    for (std::size_t k = 0; k < 4; ++k)
      of_gradient.add(value(gradient[4 * row + k]),
                      (std::exp(value(logits[4 * row + k])) / sum - (k == target)) / kRows);
  }
  EXPECT_LT(of_losses.relative(), 1e-6);
  EXPECT_LT(of_gradient.relative(), kRounding);
}

}  // namespace
}  // namespace occam
