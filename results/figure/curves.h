#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// One epoch of a training; not a number where the training left the real numbers.
struct CurvePoint {
  std::int64_t epoch;
  double loss, accuracy, learning_rate;
};
// Of every trial that has any, by its id, in the order of epochs.
using Curves = std::map<std::string, std::vector<CurvePoint>>;

Curves read_curves(const Store& store, const std::string& sweep);

}  // namespace occam
