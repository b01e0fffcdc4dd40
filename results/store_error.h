#pragma once

#include <SQLiteCpp/Exception.h>

#include <nlohmann/json.hpp>
#include <string>

#include "experiments/error.h"
#include "experiments/received_json.h"

namespace occam {

// Throws what SQLite's result code means for whoever uses the file, and what would put it right: a
// LockedError, or another Error.
[[noreturn]] void throw_store_error(const std::string& path, int sqlite_code,
                                    const std::string& sqlite_message);

// What saves the rows of a damaged file, for messages.
std::string recover_command(const std::string& path);

// A file that is not as occam left it; `how` says what shows that.
Error damaged_error(const std::string& path, const std::string& how);

// Runs the step; what SQLite throws becomes an Error that names the file, and so does JSON in it
// that cannot be read.
template <class Step>
auto explained(const std::string& path, Step&& step) {
  try {
    return step();
  } catch (const SQLite::Exception& problem) {
    throw_store_error(path, problem.getErrorCode(), problem.what());
  } catch (const nlohmann::json::exception& problem) {
    throw damaged_error(path, json_problem(problem));
  }
}

}  // namespace occam
