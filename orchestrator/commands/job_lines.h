#pragma once

#include <string>

namespace occam {

// What the queue says of the jobs that `occam submit` made for a database, one line a job, and how
// far the parts are that are not merged yet; nothing without such jobs. Asks squeue at most every
// 30 s. What Slurm will not say is said on stderr.
std::string job_lines(const std::string& database);

// Ends those jobs; returns what to tell the user.
std::string cancel_submitted(const std::string& database);

}  // namespace occam
