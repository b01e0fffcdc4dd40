#pragma once

#include <string>

namespace occam {

// Who keeps others from writing the database just now: "sqlite3 (process 4711)", or "another
// program" where that cannot be told (a process of another machine or another user's container).
std::string lock_holder(const std::string& database);

}  // namespace occam
