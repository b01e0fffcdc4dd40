#include "slurm/submitted.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/error.h"
#include "slurm/batch_script.h"

namespace occam {

using nlohmann::ordered_json;

std::string array_of(const std::string& id) { return id.substr(0, id.find('_')); }

SubmittedJobs::SubmittedJobs(const std::string& database)
    : file_(slurm_folder(database) + "/jobs.json") {
  std::ifstream file(file_);
  if (!file) return;
  try {
    const ordered_json text = ordered_json::parse(file);
    for (const auto& job : text.at("jobs"))
      jobs_.push_back({job.at("id"), job.at("part"), job.value("of", 0)});
    if (text.contains("queue")) {
      asked_at_ = text["queue"].at("asked_at");
      refusal_ = text["queue"].value("refusal", "");
      for (const auto& job : text["queue"].at("jobs"))
        queue_.push_back({job.at("id"), job.at("state"), job.at("reason"), job.at("start"),
                          job.at("left"), job.at("nodes")});
    }
  } catch (const nlohmann::json::exception&) {
    throw Error(file_ + ": is not what occam submit wrote; delete it, and look into `squeue --me`");
  }
}

std::vector<std::string> SubmittedJobs::ids() const {
  std::vector<std::string> ids;
  for (const SubmittedJob& job : jobs_) ids.push_back(job.id);
  return ids;
}

const std::vector<QueuedJob>& SubmittedJobs::queued(std::int64_t now) {
  if (!jobs_.empty() && now - asked_at_ >= kPatience) return ask(now);
  if (!refusal_.empty()) throw Error(refusal_);
  return queue_;
}

const std::vector<QueuedJob>& SubmittedJobs::ask(std::int64_t now) {
  if (jobs_.empty()) return queue_;
  asked_at_ = now;
  try {
    queue_ = queued_jobs(ids());
    refusal_.clear();
    write();
  } catch (const Error& problem) {
    refusal_ = problem.what();
    write();
    throw;
  }
  return queue_;
}

void SubmittedJobs::record(std::vector<SubmittedJob> jobs) {
  jobs_ = std::move(jobs);
  queue_.clear();
  refusal_.clear();
  asked_at_ = 0;
  if (!write())
    throw Error(file_ + ": cannot be written, so occam status and a second submission will not " +
                "know of job " + joined(ids()));
}

bool SubmittedJobs::write() const {
  ordered_json text;
  text["jobs"] = ordered_json::array();
  for (const SubmittedJob& job : jobs_) {
    text["jobs"].push_back({{"id", job.id}, {"part", job.part}});
    if (job.of > 0) text["jobs"].back()["of"] = job.of;
  }
  if (asked_at_ != 0) {
    text["queue"] = {{"asked_at", asked_at_}, {"jobs", ordered_json::array()}};
    if (!refusal_.empty()) text["queue"]["refusal"] = refusal_;
    for (const QueuedJob& job : queue_)
      text["queue"]["jobs"].push_back({{"id", job.id},
                                       {"state", job.state},
                                       {"reason", job.reason},
                                       {"start", job.start},
                                       {"left", job.left},
                                       {"nodes", job.nodes}});
  }
  // Whoever may only read here asks squeue more often.
  const std::string partial = file_ + "." + std::to_string(getpid());
  std::ofstream file(partial);
  file << text.dump(1) << "\n";
  file.close();
  std::error_code problem;
  if (file) std::filesystem::rename(partial, file_, problem);
  return file && !problem;
}

}  // namespace occam
