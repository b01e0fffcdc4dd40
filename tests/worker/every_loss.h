#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "experiments/trial.h"

namespace occam {

// Of tests that hold for every loss, and what gtest calls them.
inline std::vector<Loss> every_loss() {
  std::vector<Loss> losses;
  for (const std::string_view name : names_of<Loss>()) losses.push_back(from_name<Loss>(name));
  return losses;
}
inline std::string loss_name(const testing::TestParamInfo<Loss>& one) {
  std::string name = to_string(one.param);
  std::erase(name, '-');
  return name;
}

}  // namespace occam
