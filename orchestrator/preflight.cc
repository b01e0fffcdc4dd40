#include "orchestrator/preflight.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <optional>
#include <set>

#include "experiments/error.h"
#include "orchestrator/node.h"
#include "orchestrator/worker_process.h"
#include "slurm/client.h"

namespace occam {
namespace {

// Runs a worker's check to its end; what it complains of, or nothing.
std::optional<std::string> complaint(const std::vector<std::string>& words) {
  WorkerProcess process(words);
  while (true) {
    process.pump();
    if (const auto end = process.ended()) {
      if (*end == "exited with code 0") return std::nullopt;
      std::string said = process.log_tail();
      const std::string name = "occam-worker: ";
      if (said.starts_with(name)) said.erase(0, name.size());
      while (!said.empty() && said.back() == '\n') said.pop_back();
      return said.empty() ? words.front() + " " + *end : said;
    }
    pollfd waiting[] = {{process.output(), POLLIN, 0}, {process.errors(), POLLIN, 0}};
    poll(waiting, 2, 100);
  }
}

// Throws Error unless the program is there, on the PATH where its name has no folder.
void check_program(const std::string& program) {
  const bool named = program.find('/') != std::string::npos;
  if (named ? access(program.c_str(), X_OK) == 0 && !std::filesystem::is_directory(program)
            : has_program(program))
    return;
  throw Error("--worker " + program + ": " +
              (named ? "is no program that can be started"
                     : "not found on the PATH; name it with its folder, such as ./" + program));
}

}  // namespace

std::string worker_program() { return program_folder() + "/occam-worker"; }

void check_work_folder(const std::filesystem::path& folder) {
  std::filesystem::path nearest = folder;  // that exists
  while (!std::filesystem::exists(nearest) && nearest.has_relative_path())
    nearest = nearest.parent_path();
  const auto refuse = [&](const std::string& why) {
    throw Error("--work " + folder.string() + ": checkpoints cannot be written there: " +
                nearest.string() + " " + why + "; name a folder of yours with --work");
  };
  if (!std::filesystem::is_directory(nearest)) refuse("is no folder");
  if (access(nearest.c_str(), W_OK | X_OK) != 0)
    refuse(std::string("cannot be written (") + std::strerror(errno) + ")");
}

std::string preflight(const std::vector<Start>& starts, const std::string& device,
                      const std::string& data, const std::string& worker) {
  std::string chosen = device;
  if (device == "auto") chosen = visible_gpus() > 0 ? "cuda" : "cpu";
  if (!worker.empty()) {
    check_program(worker);
    return chosen;
  }

  std::vector<std::string> words{worker_program(), "check", "--device", chosen};
  if (!data.empty()) words.insert(words.end(), {"--data", data});
  std::set<std::string> datasets;
  for (const Start& start : starts)
    datasets.insert(to_string(start.config.dataset) + (start.config.dataset == Dataset::folder
                                                           ? ":" + start.config.source.name
                                                           : ""));
  words.insert(words.end(), datasets.begin(), datasets.end());
  if (const auto problem = complaint(words)) throw Error(*problem);

  for (const Start& start : starts)
    if (start.config.extra != ExtraFields{})
      throw UsageError(
          "extra " + start.config.extra.text +
          " means nothing to occam-worker; name the program that it is for with --worker "
          "(trial " +
          start.trial + ")");
  for (const Start& start : starts)
    if (chosen == "cuda")
      check_on_gpu(start.config);
    else
      check_on_cpu(start.config);
  return chosen;
}

}  // namespace occam
