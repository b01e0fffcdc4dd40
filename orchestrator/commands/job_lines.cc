#include "orchestrator/commands/job_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <map>

#include "experiments/error.h"
#include "results/store.h"
#include "slurm/batch_script.h"
#include "slurm/submitted.h"

namespace occam {
namespace {

std::string line_of(const SubmittedJob& submitted, const QueuedJob& job) {
  std::string text = "job " + job.id;
  if (submitted.part == "merge") text += ", the merge";
  text += ": " + job.state;
  if (!job.nodes.empty()) text += " on " + job.nodes;
  if (job.state == "RUNNING") return text + ", " + job.left + " left";
  if (job.reason != "None") text += " (" + job.reason + ")";
  if (job.state == "PENDING" && job.start != "N/A") text += ", expected to start " + job.start;
  return text;
}

std::string progress_of(const std::string& database, int shard, int of) {
  const std::string file = shard_database(database, shard, of);
  if (!std::filesystem::exists(file)) return fmt::format("  part {}: not begun\n", shard);
  const std::vector<SweepStatus> sweeps = Store(file, Store::Mode::read).status();
  if (sweeps.empty()) return "";
  const SweepStatus& sweep = sweeps.front();
  return fmt::format("  part {}: {} trials done, {} running, {} diverged, {} failed\n", shard,
                     sweep.completed, sweep.running, sweep.diverged, sweep.failed);
}

}  // namespace

std::string job_lines(const std::string& database) {
  constexpr std::size_t kShown = 8;  // of an array's tasks, one by one
  SubmittedJobs jobs(database);
  if (jobs.all().empty()) return "";
  std::vector<QueuedJob> queued;
  try {
    queued = jobs.queued(std::time(nullptr));
  } catch (const Error& problem) {
    std::cerr << problem.what() << "\n";
    return "";
  }
  std::string text;
  int of = 0;
  for (const SubmittedJob& submitted : jobs.all()) {
    of = std::max(of, submitted.of);
    std::size_t count = 0;
    std::map<std::string, int> states;
    for (const QueuedJob& job : queued)
      if (array_of(job.id) == submitted.id) {
        if (++count <= kShown) text += line_of(submitted, job) + "\n";
        ++states[job.state];
      }
    if (count == 0) text += "job " + submitted.id + ": is no longer in the queue\n";
    if (count > kShown) {
      text += "job " + submitted.id + ":";
      for (const auto& [state, number] : states) text += fmt::format(" {} {}", number, state);
      text += "\n";
    }
  }
  for (int shard = 1; shard <= of; ++shard) text += progress_of(database, shard, of);
  return text;
}

std::string cancel_submitted(const std::string& database) {
  SubmittedJobs jobs(database);
  std::vector<std::string> live;
  for (const QueuedJob& job : jobs.ask(std::time(nullptr)))
    if (std::find(live.begin(), live.end(), array_of(job.id)) == live.end())
      live.push_back(array_of(job.id));
  if (live.empty()) return "none of its jobs is in the queue";
  cancel_jobs(live);
  jobs.record(jobs.all());
  return "cancelled job " + joined(live) +
         "; running trials checkpoint, and occam submit goes on from there";
}

}  // namespace occam
