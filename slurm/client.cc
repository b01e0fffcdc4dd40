#include "slurm/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>

#include "experiments/error.h"
#include "experiments/number.h"

extern char** environ;

namespace occam {

const char* const kQueueFormat = "%i|%T|%r|%S|%L|%N";

namespace {

constexpr int kOutOfPatience = 124;  // as timeout(1) has it

std::string trimmed(std::string text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\n' || c == '\t'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), is_space));
  return text;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!trimmed(line).empty()) lines.push_back(trimmed(line));
  return lines;
}

// Slurm's own words, each once: it repeats the program's name on every line.
std::string words_of(const Answer& answer) {
  std::string text;
  for (const std::string& line : lines_of(answer.err.empty() ? answer.out : answer.err))
    text += (text.empty() ? "" : "\n  ") + line;
  return text.empty() ? "exit code " + std::to_string(answer.code) : text;
}

Answer ask_slurm(const std::vector<std::string>& words) {
  if (!has_program(words.front()))
    throw Error(words.front() +
                ": not found on the PATH; this needs a machine of a Slurm cluster, such as its "
                "login node (`module load slurm` on some)");
  return ask_program(words);
}

Answer ask_slurm_or_throw(const std::vector<std::string>& words, const std::string& what) {
  Answer answer = ask_slurm(words);
  if (!answer.ok()) throw Error(what + ":\n  " + words_of(answer));
  return answer;
}

}  // namespace

bool has_program(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  std::error_code none;
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path program = std::filesystem::path(folder) / name;
    if (std::filesystem::is_regular_file(program, none) && access(program.c_str(), X_OK) == 0)
      return true;
  }
  return false;
}

Answer ask_program(const std::vector<std::string>& words, std::chrono::seconds patience) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0)
    throw Error(std::string("cannot make a pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, err[1], STDERR_FILENO);
  // Whatever this process blocks, the program starts as from a shell.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, usual;
  sigemptyset(&none);
  sigfillset(&usual);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int problem =
      posix_spawnp(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close(out[1]);
  close(err[1]);
  Answer answer;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  bool late = false;
  pollfd ends[] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
  while (problem == 0 && !late && (ends[0].fd >= 0 || ends[1].fd >= 0)) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    late = left.count() <= 0;
    if (late || poll(ends, 2, static_cast<int>(left.count())) < 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      char buffer[65536];
      const ssize_t got = read(ends[i].fd, buffer, sizeof buffer);
      if (got > 0)
        (i == 0 ? answer.out : answer.err).append(buffer, static_cast<std::size_t>(got));
      else
        ends[i].fd = -1;
    }
  }
  close(out[0]);
  close(err[0]);
  if (problem != 0) throw Error(words.front() + ": cannot be started: " + std::strerror(problem));
  if (late) kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  answer.code = late                ? kOutOfPatience
                : WIFEXITED(status) ? WEXITSTATUS(status)
                                    : 128 + WTERMSIG(status);
  if (late)
    answer.err += words.front() + " said nothing for " + std::to_string(patience.count()) +
                  " s and was ended";
  return answer;
}

std::string submit_script(const std::vector<std::string>& words) {
  std::vector<std::string> command{"sbatch", "--parsable"};
  command.insert(command.end(), words.begin(), words.end());
  const Answer answer = ask_slurm(command);
  if (answer.code == kOutOfPatience)
    throw Error(words_of(answer) + "; whether the job is there, `squeue --me` shows");
  if (!answer.ok())
    throw Error("Slurm refused the job, and nothing was submitted:\n  " + words_of(answer));
  std::string id = trimmed(answer.out.substr(0, answer.out.find(';')));  // "12;cluster"
  if (id.empty() || id.find_first_not_of("0123456789") != std::string::npos)
    throw Error("Slurm gave the job no number, and nothing was submitted:\n  " + words_of(answer));
  return id;
}

std::vector<QueuedJob> read_queue(const std::string& text) {
  std::vector<QueuedJob> jobs;
  for (const std::string& line : lines_of(text)) {
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, '|');) fields.push_back(field);
    fields.resize(6);
    jobs.push_back({fields[0], fields[1], fields[2], fields[3], fields[4], fields[5]});
  }
  return jobs;
}

std::vector<QueuedJob> queued_jobs(const std::vector<std::string>& ids) {
  if (ids.empty()) return {};
  const Answer answer = ask_slurm(
      {"squeue", "--noheader", "--array", "--jobs", joined(ids, ","), "--format", kQueueFormat});
  // Of one job alone that it has forgotten, squeue says that; of several, nothing.
  if (!answer.ok() && answer.err.find("Invalid job id") == std::string::npos)
    throw Error("Slurm does not say what is in the queue:\n  " + words_of(answer));
  return read_queue(answer.out);
}

void cancel_jobs(const std::vector<std::string>& ids) {
  if (ids.empty()) return;
  std::vector<std::string> words{"scancel"};
  words.insert(words.end(), ids.begin(), ids.end());
  ask_slurm_or_throw(words, "Slurm does not cancel " + joined(ids));
}

std::vector<std::string> read_mpi_kinds(const std::string& text) {
  std::vector<std::string> kinds;
  for (const std::string& line : lines_of(text)) {
    // "MPI plugin types are...", then one a line, older ones behind "srun: "; "specific pmix plugin
    // versions available: pmix_v4"
    std::string word = line.starts_with("srun: ") ? line.substr(6) : line;
    if (const std::size_t colon = word.find(": "); colon != std::string::npos)
      word = word.substr(colon + 2);
    std::istringstream words(word);
    std::vector<std::string> found;
    for (std::string one; std::getline(words, one, ',');) found.push_back(trimmed(one));
    for (const std::string& one : found)
      if (!one.empty() && one.find(' ') == std::string::npos) kinds.push_back(one);
  }
  return kinds;
}

std::vector<std::string> mpi_kinds() {
  const Answer answer = ask_slurm_or_throw({"srun", "--mpi=list"}, "srun --mpi=list failed");
  return read_mpi_kinds(answer.out + "\n" + answer.err);
}

ClusterFacts read_cluster_facts(const std::string& text) {
  std::map<std::string, std::string> values;
  for (const std::string& line : lines_of(text))
    if (const std::size_t equals = line.find('='); equals != std::string::npos)
      values[trimmed(line.substr(0, equals))] = trimmed(line.substr(equals + 1));
  ClusterFacts facts;
  facts.version = values["SLURM_VERSION"];
  facts.requeue = values["JobRequeue"] == "1";
  facts.preempt_mode = values["PreemptMode"];
  read_number(std::string_view(values["MaxArraySize"]), facts.max_array_size);
  return facts;
}

ClusterFacts cluster_facts() {
  return read_cluster_facts(
      ask_slurm_or_throw({"scontrol", "show", "config"}, "scontrol show config failed").out);
}

}  // namespace occam
