#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "slurm/client.h"

namespace occam {

// A job that occam submit made.
struct SubmittedJob {
  std::string id;
  std::string part;  // "sweep", "shards" or "merge"
  int of = 0;        // of "shards": how many parts the sweep is in
};

// The jobs that work on a database, in "<database>.slurm/jobs.json": those that the last submission
// made, and earlier ones that were in the queue then. One thread; two processes at once may ask
// squeue once more than they had to.
class SubmittedJobs {
 public:
  // Reads the file; no file is no jobs.
  explicit SubmittedJobs(const std::string& database);

  const std::vector<SubmittedJob>& all() const { return jobs_; }
  std::vector<std::string> ids() const;

  // Those in the queue. squeue is asked at most every kPatience seconds, by whichever process, and
  // its last answer, or refusal, is taken meanwhile; `now` is in seconds since 1970. Throws Error
  // with Slurm's words.
  static constexpr std::int64_t kPatience = 30;
  const std::vector<QueuedJob>& queued(std::int64_t now);
  // The same, asked in any case.
  const std::vector<QueuedJob>& ask(std::int64_t now);

  // Replaces what was recorded. Throws Error where that cannot be.
  void record(std::vector<SubmittedJob> jobs);

 private:
  bool write() const;

  std::string file_;
  std::vector<SubmittedJob> jobs_;
  std::vector<QueuedJob> queue_;
  std::int64_t asked_at_ = 0;
  std::string refusal_;  // squeue's last words, where it gave no answer
};

// 12 of 12_3.
std::string array_of(const std::string& id);

}  // namespace occam
