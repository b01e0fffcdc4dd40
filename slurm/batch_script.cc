#include "slurm/batch_script.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "experiments/error.h"
#include "experiments/number.h"
#include "slurm/duration.h"

namespace occam {
namespace {

std::string shell_words(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + shell_word(word);
  return text;
}

// sbatch reads its lines as a shell would, but for a backslash in single quotes.
std::string sbatch_word(const std::string& word) {
  std::string text;
  for (const char one : word) text += one == '\\' ? "\\\\" : std::string(1, one);
  return shell_word(text);
}

void option(std::string& script, const std::string& name, const std::string& value = "") {
  script += "#SBATCH --" + name + (value.empty() ? "" : "=" + sbatch_word(value)) + "\n";
}

// What both kinds of script begin with.
std::string head(const BatchJob& job, const std::string& name, const std::string& log) {
  std::string script = "#!/bin/bash\n";
  option(script, "job-name", name);
  option(script, "chdir", job.folder);
  option(script, "output", job.database + ".slurm-" + log);
  option(script, "open-mode", "append");
  return script;
}

// Those of the user's file and of the command line come last, and so override.
std::string tail(const BatchJob& job) {
  if (job.sbatch.empty()) return "";
  std::string line = "#SBATCH";
  for (const std::string& word : job.sbatch) line += " " + sbatch_word(word);
  return line + "\n";
}

std::string setup(const BatchJob& job) {
  std::string script;
  for (const std::string& line : job.setup) script += line + "\n";
  return script.empty() ? "" : "\n" + script;
}

std::string indices(const BatchJob& job) {
  std::string text;
  for (const int index : job.only) text += (text.empty() ? "" : ",") + std::to_string(index);
  if (text.empty()) text = "1-" + std::to_string(job.shards);
  return text + (job.at_once > 0 ? "%" + std::to_string(job.at_once) : "");
}

// An hour, or less where the parts have less: partitions have limits.
std::string merge_time(const BatchJob& job) {
  constexpr std::int64_t kHour = 3600;
  return slurm_seconds(job.time).value_or(kHour) < kHour ? job.time : "1:00:00";
}

// One rank a node; a node alone needs no MPI. srun does not inherit --cpus-per-task since 22.05.
std::string launcher(const BatchJob& job) {
  if (job.nodes > 1 && job.launcher == Launcher::mpirun)
    return fmt::format("mpirun -n {} --map-by ppr:1:node --bind-to none", job.nodes);
  // After one rank has ended the others follow at once, or are lost; Slurm may then hold their
  // cores for the lost step, which the next one has to overlap.
  return fmt::format("srun --mpi={} --cpus-per-task={}",
                     job.nodes > 1 ? "pmix --wait=15 --overlap" : "none", job.cpus_per_task);
}

std::string run_words(const BatchJob& job) {
  std::string words = shell_word(job.occam) + " run " + shell_word(job.spec);
  if (job.shards > 0)
    words += fmt::format(" --shard \"$SLURM_ARRAY_TASK_ID/{}\" --done-in {}", job.shards,
                         shell_word(job.database));
  words += " --db \"$db\"";
  if (!job.scratch.empty()) words += " --work \"$scratch\"";
  if (!job.run_options.empty()) words += " " + shell_words(job.run_options);
  return words;
}

// A copy may be cut short, and half of a checkpoint is none: so each is renamed into place.
constexpr const char* kCopy = R"(() {
  mkdir -p "$1" "$2"
  find "$1" -name '*.ckpt' -printf '%P\n' | while read -r file; do
    [ "$1/$file" -nt "$2/$file" ] || continue
    mkdir -p "$2/${file%/*}"
    cp -p "$1/$file" "$2/$file.$BASHPID" && mv "$2/$file.$BASHPID" "$2/$file"
  done
}
)";

// srun can start nothing in a job that is being cancelled, and the script's own node needs none.
constexpr const char* kCopyOnEveryNode = R"(export -f copy_here
on_every_node() { srun --overlap --mpi=none --ntasks-per-node=1 --cpus-per-task=1 "$@"; }
copy() { on_every_node bash -c 'copy_here "$@"' - "$@"; }
)";

std::string scratch(const BatchJob& job) {
  if (job.scratch.empty()) return "";
  return "# Checkpoints lie on each node's own disk and are copied to $db.work now and then and at "
         "the end.\nscratch=" +
         shell_word(job.scratch) + "/occam-$SLURM_JOB_ID\n" +
         (job.nodes == 1 ? std::string("copy") + kCopy
                         : std::string("# shellcheck disable=SC2317 # srun reaches it\ncopy_here") +
                               kCopy + kCopyOnEveryNode) +
         fmt::format(R"(copy "$db.work" "$scratch"
(
  trap exit TERM
  had=
  while sleep {} & wait "$!"; do
    for trial in $had; do [ -d "$scratch/$trial" ] || rm -rf "$db.work/$trial"; done # finished since
    had=$(ls "$scratch")
    copy "$scratch" "$db.work"
  done
) &
copier=$!

)",
                     spelled(job.copy_every));
}

std::string end_of_scratch(const BatchJob& job) {
  if (job.scratch.empty()) return "";
  return fmt::format(R"(
kill "$copier" 2>/dev/null
wait "$copier" # for the copy that it is at
copy "$scratch" "$db.work"
{}rm -rf "$scratch"
{} gc "$db" && rmdir --ignore-fail-on-non-empty "$db.work" # what is finished needs no checkpoints
)",
                     job.nodes == 1 ? "" : "on_every_node ", shell_word(job.occam));
}

constexpr const char* kRun =
    R"(# USR1 comes from Slurm before the time is up: checkpoint, then ask for another turn. TERM comes when
# the job is preempted, which Slurm itself requeues, or cancelled, which stays so; the run has it too.
warned=no
stopped=no
run=
trap 'warned=yes; [ -z "$run" ] || kill -USR1 "$run"' USR1
trap 'stopped=yes' TERM

code=75
for turn in 1 2 3; do
  [ "$warned$stopped" = nono ] || break
  [ "$turn" = 1 ] || echo "$(date): ended with code $code; goes on from what is recorded" >&2
  "${command[@]}" &
  run=$!
  wait "$run"
  while kill -0 "$run" 2>/dev/null; do wait "$run"; done # a trap ends a wait, not the run
  wait "$run"
  code=$?
  # Left with work to do, or ended by a signal, and none was for the job: a process or a node was lost.
  [ "$code" = 75 ] || [ "$code" -gt 128 ] || break
done
)";

constexpr const char* kRequeue = R"(
if [ "$code" = 75 ] && [ "$warned" = yes ] && [ "$stopped" = no ]; then
  echo "$(date): out of time with work left; requeueing" >&2
  scontrol requeue "$SLURM_JOB_ID" || echo "cannot requeue from here: submit again, or use --chain" >&2
fi
)";

}  // namespace

std::string slurm_folder(const std::string& database) { return database + ".slurm"; }

std::string shard_database(const std::string& database, int shard, int of) {
  return fmt::format("{}.shards/{}-of-{}.db", database, shard, of);
}

std::vector<std::string> shard_databases(const std::string& database) {
  std::vector<std::string> files;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(database + ".shards", none))
    if (entry.path().extension() == ".db") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

std::string batch_script(const BatchJob& job) {
  std::string script = head(job, job.sweep, job.shards > 0 ? "%A_%a.log" : "%j.log");
  if (job.shards > 0) option(script, "array", indices(job));
  option(script, "nodes", std::to_string(job.nodes));
  option(script, "ntasks-per-node", "1");
  option(script, "cpus-per-task", std::to_string(job.cpus_per_task));
  if (job.gpus_per_node > 0) option(script, "gpus-per-node", std::to_string(job.gpus_per_node));
  if (!job.gres.empty()) option(script, "gres", job.gres);
  option(script, "time", job.time);
  option(script, "signal", fmt::format("B:USR1@{}", job.warn_before));
  option(script, job.requeue ? "requeue" : "no-requeue");
  script += tail(job);
  script +=
      job.shards > 0
          ? "\n# Written by occam submit. Each task trains its part of the sweep into a file of "
            "its own.\n"
          : "\n# Written by occam submit. It trains what the database lacks, so that it may run "
            "any number of times.\n";
  script += setup(job) + "\nset -u\n";
  script += job.shards > 0 ? fmt::format("mkdir -p {0}\ndb={0}/$SLURM_ARRAY_TASK_ID-of-{1}.db\n",
                                         shell_word(job.database + ".shards"), job.shards)
                           : "db=" + shell_word(job.database) + "\n";
  script += scratch(job);
  script += fmt::format("command=({}\n  {})\n\n", launcher(job), run_words(job));
  script += kRun;
  script += end_of_scratch(job);
  if (job.requeue) script += kRequeue;
  return script + "exit \"$code\"\n";
}

std::string merge_script(const BatchJob& job) {
  std::string script = head(job, job.sweep + "-merge", "%j.log");
  option(script, "ntasks", "1");
  option(script, "time", merge_time(job));
  script += tail(job);
  script +=
      "\n# Written by occam submit. Takes what the shards have recorded into one database; may run "
      "again.\n";
  script += setup(job) + "\nset -u\n";
  const std::string database = shell_word(job.database);
  return script + fmt::format("{} merge {} {}/*-of-{}.db\n", shell_word(job.occam), database,
                              shell_word(job.database + ".shards"), job.shards);
}

}  // namespace occam
