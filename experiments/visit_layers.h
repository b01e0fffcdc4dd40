#pragma once

#include <cmath>

#include "experiments/trial.h"

namespace occam {

// Calls visit(weights, pixels, outputs) for every convolution of the trunk, then for every layer of
// the head.
template <class Visitor>
void visit_layers(const Trial& trial, Visitor&& visit) {
  const auto side = static_cast<double>(task_facts(trial).side);
  const double blocks = trial.depth == 10 ? 1 : 2;  // of the first stage; depth 34 adds below
  const double counts34[] = {3, 4, 6, 3};
  visit(27 * 64.0, side * side, 64.0);  // stem
  double in = 64, pixels = side * side;
  for (int stage = 0; stage < 4; ++stage) {
    const double out = 64 * trial.width * std::pow(2, stage);
    const double count = trial.depth == 34 ? counts34[stage] : blocks;
    if (stage > 0) pixels /= 4;
    visit(9 * in * out, pixels, out);
    visit(9 * out * out, pixels, out);
    for (int i = 0; i < 2 * (count - 1); ++i) visit(9 * out * out, pixels, out);
    if (stage > 0 || in != out) visit(in * out, pixels, out);
    in = out;
  }
  double head = in;
  for (std::int64_t layer = 0; layer < trial.head_layers; ++layer) {
    const auto width = static_cast<double>(trial.head_width);
    visit(head * width, 1.0, width);
    head = width;
  }
  const double outputs = is_contrastive(trial) ? static_cast<double>(trial.embedding) : 4;
  visit(head * outputs, 1.0, outputs);
}

}  // namespace occam
