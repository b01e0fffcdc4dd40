#pragma once

#include <string>

#include "experiments/error.h"

namespace occam {

// What the step's Error says; "no error" when it throws none.
template <class Step>
std::string message_of(Step&& step) {
  try {
    step();
  } catch (const Error& problem) {
    return problem.what();
  }
  return "no error";
}

}  // namespace occam
