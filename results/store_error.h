#pragma once

#include <SQLiteCpp/Exception.h>

#include <string>

#include "experiments/error.h"

namespace occam {

// What SQLite's result code means for whoever uses the file, and what would put it right.
Error store_error(const std::string& path, int sqlite_code, const std::string& sqlite_message);

// Runs the step; what SQLite throws becomes an Error that names the file.
template <class Step>
auto explained(const std::string& path, Step&& step) {
  try {
    return step();
  } catch (const SQLite::Exception& problem) {
    throw store_error(path, problem.getErrorCode(), problem.what());
  }
}

}  // namespace occam
