// A worker that speaks the messages of experiments/message.h and trains nothing: what the fault
// tests and the benchmarks of the orchestrator run in place of occam-worker.
//
// A trial's "training" is a chain of hashes, one link a step, saved in checkpoints and continued
// from them; its scores are made of the last link. So a resume from the wrong place, a step left
// out or a stale checkpoint gives other scores than an undisturbed run.
//
// A gang goes in step: each member writes how far it is into a file of the trial's folder, where
// the others look, and none goes on before all are as far. So a gang stands still without one of
// its members, as one over NCCL does, and none notices by itself who has died.
//
// $OCCAM_FAKE names a JSON file:
//   slots, step_ms, checkpoint_steps (0: only when asked to stop), beat_ms, memory_slots,
//   stop_ms: how long it is deaf when asked to stop, as a worker is until its step ends
//   gaps: a folder for a file a worker, with the microseconds from each outcome to the next start
//   faults: [{"at": "start" | "step" | "checkpoint" | "outcome", "step": 3, "only": {"seed": 2},
//             "rank": 1, "times": 1, "do": …}]
// "outcome" of ranks above 0 is before they leave.
// A fault strikes `times` times over all workers, counted by marker files in the folder `marks`.
// What it does: "kill" (SIGKILL), "exit", "stop" (SIGSTOP, of all its threads), "silence" (no more
// words, no end), "deaf" (never leaves its gang), "leave" (it for a reason), "block" (this trial
// stands still, the heart beats on), "garbage", "half-line" (and ends), "long-line", "fail",
// "diverge", "out-of-memory", "no-scores".
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>
#include <xxhash.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <list>
#include <optional>
#include <sstream>
#include <thread>

#include "experiments/error.h"
#include "experiments/message.h"
#include "experiments/number.h"

namespace occam {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using nlohmann::json;

struct Chain {
  std::int64_t step = 0;
  std::uint64_t link = 0;
};

std::uint64_t next_link(std::uint64_t link, const std::string& trial, std::int64_t step) {
  return XXH3_64bits_withSeed(trial.data(), trial.size(), link + static_cast<std::uint64_t>(step));
}

class CheckpointFiles {
 public:
  explicit CheckpointFiles(const Start& start) : start_(start), folder_(start.folder) {}

  void save(const Chain& chain) const {
    fs::create_directories(folder_);
    const std::string text = text_of(chain);
    const fs::path partial = path(start_.lease) += ".partial";
    std::ofstream(partial) << text;
    fs::rename(partial, path(start_.lease));
  }

  Chain newest() const {
    Chain best{0, 1};
    for (const std::int64_t lease : start_.resumable) {
      std::ifstream file(path(lease));
      Chain read;
      std::string rest;
      if (!(file >> read.step >> read.link)) continue;
      std::ifstream again(path(lease));
      std::stringstream whole;
      whole << again.rdbuf();
      if (whole.str() == text_of(read) && read.step > best.step) best = read;
    }
    return best;
  }

 private:
  // With a digest at the end, so that a torn file shows.
  std::string text_of(const Chain& chain) const {
    const std::string text = std::to_string(chain.step) + " " + std::to_string(chain.link) + " ";
    return text + hex(XXH3_64bits(text.data(), text.size())) + "\n";
  }
  fs::path path(std::int64_t lease) const { return folder_ / (std::to_string(lease) + ".ckpt"); }

  const Start& start_;
  fs::path folder_;
};

struct Slot {
  Start start;
  Chain chain;
  std::int64_t steps;
  Clock::time_point due;
  bool blocked = false, deaf = false, scoring = false;

  bool leads() const { return !start.gang || start.gang->rank == 0; }
};

// How far the members of a gang are, one file each.
class Rendezvous {
 public:
  static std::string ticket(const Start& start) {
    return "fake " + start.trial + " " + std::to_string(start.lease);
  }

  static void write(const Slot& slot) {
    if (!slot.start.gang) return;
    fs::create_directories(folder(slot.start));
    const fs::path file = path(slot.start, slot.start.gang->rank), partial = fs::path(file) += "~";
    std::ofstream(partial) << slot.chain.step;
    fs::rename(partial, file);
  }

  // Whether every member has come to this step.
  static bool all_at(const Slot& slot, std::int64_t step) {
    for (std::int64_t rank = 0; rank < slot.start.gang->size; ++rank) {
      std::ifstream file(path(slot.start, rank));
      std::int64_t reached = -1;
      if (!(file >> reached) || reached < step) return false;
    }
    return true;
  }

 private:
  static fs::path folder(const Start& start) {
    return fs::path(start.folder) / (std::to_string(start.lease) + ".gang");
  }
  static fs::path path(const Start& start, std::int64_t rank) {
    return folder(start) / std::to_string(rank);
  }
};

class FakeWorker {
 public:
  explicit FakeWorker(json settings) : settings_(std::move(settings)) {}

  int run() {
    say(Ready{"", "fake", slots(), 0, "fake", "fake", true, "fake"});
    Clock::time_point next_beat = Clock::now();
    while (true) {
      const Clock::time_point now = Clock::now();
      if (now >= next_beat) {
        beat();
        next_beat = now + std::chrono::milliseconds(settings_.value("beat_ms", 500));
      }
      for (auto slot = running_.begin(); slot != running_.end();)
        slot = advance(*slot, now) ? running_.erase(slot) : std::next(slot);
      flush();
      if (!wait(next_beat)) return 0;
    }
  }

 private:
  std::int64_t slots() const { return settings_.value("slots", std::int64_t{1}); }

  // False at the end of stdin.
  bool wait(Clock::time_point until) {
    for (const Slot& slot : running_)
      if (!slot.blocked) until = std::min(until, slot.due);
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd in{STDIN_FILENO, POLLIN, 0};
    if (poll(&in, 1, static_cast<int>(std::max<std::int64_t>(0, left))) <= 0) return true;
    char buffer[65536];
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof buffer);
    if (got <= 0) return false;
    pending_.append(buffer, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = pending_.find('\n', begin)) != std::string::npos; begin = end + 1)
      take(read_down(pending_.substr(begin, end - begin)));
    pending_.erase(0, begin);
    return true;
  }

  void take(const DownMessage& message) {
    if (std::holds_alternative<Exit>(message)) {
      flush();
      std::_Exit(0);
    }
    if (std::holds_alternative<Stop>(message)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(settings_.value("stop_ms", 0)));
      for (const Slot& slot : running_) {
        if (slot.blocked) continue;
        if (!slot.leads()) {
          say(Left{slot.start.trial, slot.start.lease, ""});
          continue;
        }
        save(slot);
        say(Stopped{slot.start.trial, slot.start.lease});
      }
      std::erase_if(running_, [](const Slot& slot) { return !slot.blocked; });
    }
    if (const auto* start = std::get_if<Start>(&message)) {
      note_gap();
      running_.push_back({*start, {}, budget(start->config).steps, Clock::now()});
      Slot& slot = running_.back();
      slot.chain = CheckpointFiles(slot.start).newest();
      if (slot.start.gang && slot.leads()) {
        fs::remove_all(fs::path(start->folder) / (std::to_string(start->lease) + ".gang"));
      } else if (slot.start.gang && slot.start.gang->ticket != Rendezvous::ticket(*start)) {
        say(Left{start->trial, start->lease, "the ticket is not its gang's"});
        running_.pop_back();
        return;
      }
      if (strike("start", slot)) return;
      if (slot.start.gang && slot.leads())
        say(Ticket{start->trial, start->lease, Rendezvous::ticket(*start)});
      Rendezvous::write(slot);
    }
    if (const auto* leave = std::get_if<Leave>(&message))
      std::erase_if(running_, [&](const Slot& slot) {
        if (slot.start.lease != leave->lease || slot.deaf) return false;
        say(Left{leave->trial, leave->lease, ""});
        return true;
      });
  }

  // True when the trial has left its slot.
  bool advance(Slot& slot, Clock::time_point now) {
    const auto step_time = std::chrono::milliseconds(settings_.value("step_ms", 0));
    const auto checkpoint_steps = settings_.value("checkpoint_steps", std::int64_t{0});
    while (!slot.blocked && slot.chain.step < slot.steps && slot.due <= now) {
      if (slot.start.gang && !Rendezvous::all_at(slot, slot.chain.step))
        return wait_for_others(slot, now);
      slot.chain.link = next_link(slot.chain.link, slot.start.trial, slot.chain.step++);
      slot.due += step_time;
      if (strike("step", slot)) return true;
      Rendezvous::write(slot);
      if (slot.leads() && checkpoint_steps > 0 && slot.chain.step % checkpoint_steps == 0) {
        save(slot);
        if (strike("checkpoint", slot)) return true;
      }
    }
    if (slot.blocked || slot.chain.step < slot.steps) return false;
    if (slot.start.gang && !Rendezvous::all_at(slot, slot.steps)) return wait_for_others(slot, now);
    if (const std::int64_t ms = settings_.value("scoring_ms", 0);
        ms > 0 && !slot.start.gang && !std::exchange(slot.scoring, true)) {
      say(Scoring{slot.start.trial, slot.start.lease});
      slot.due = now + std::chrono::milliseconds(ms);
    }
    if (slot.scoring && slot.due > now) return false;
    if (strike("outcome", slot)) return true;
    if (!slot.leads()) {
      say(Left{slot.start.trial, slot.start.lease, ""});
      return true;
    }
    say(Progress{slot.start.trial, slot.start.lease, 1, 1, 0.5, 0.5, 0.01, 100});
    say(outcome(slot));
    said_outcome_ = Clock::now();
    return true;
  }

  void save(const Slot& slot) {
    CheckpointFiles(slot.start).save(slot.chain);
    say(Saved{slot.start.trial, slot.start.lease, slot.chain.step});
  }

  void note_gap() {
    if (!settings_.contains("gaps") || !said_outcome_) return;
    const std::chrono::duration<double, std::micro> gap = Clock::now() - *said_outcome_;
    said_outcome_.reset();
    std::ofstream(settings_["gaps"].get<std::string>() + "/" + std::to_string(getpid()),
                  std::ios::app)
        << gap.count() << "\n";
  }

  static bool wait_for_others(Slot& slot, Clock::time_point now) {
    slot.due = std::max(slot.due, now + std::chrono::milliseconds(1));
    return false;
  }

  static Outcome outcome(const Slot& slot) {
    Outcome done{slot.start.trial,
                 slot.start.lease,
                 OutcomeStatus::completed,
                 "",
                 {},
                 0,
                 0,
                 slot.steps,
                 "fake"};
    for (const EvaluationRequest& one : slot.start.evaluations) {
      const std::string name = to_json(one).dump();
      const std::uint64_t hash = XXH3_64bits_withSeed(name.data(), name.size(), slot.chain.link);
      const double auroc = static_cast<double>(hash >> 11) / static_cast<double>(1ULL << 53);
      done.evaluations.push_back({one, auroc, auroc, 0.5, 100, 10, 0});
    }
    return done;
  }

  static Outcome without_result(const Slot& slot, OutcomeStatus status, const std::string& error) {
    return {slot.start.trial, slot.start.lease, status, error, {}, 0, 0, 0, "fake"};
  }

  // Whether a fault takes the trial out of its slot.
  bool strike(const std::string& at, Slot& slot) {
    if (settings_.contains("memory_slots") && at == "start" &&
        static_cast<std::int64_t>(running_.size()) > settings_["memory_slots"]) {
      say(without_result(slot, OutcomeStatus::failed, "CUDA out of memory"));
      running_.pop_back();
      return true;
    }
    const json faults = settings_.value("faults", json::array());
    for (std::size_t i = 0; i < faults.size(); ++i)
      if (concerns(faults[i], at, slot) && claim(i, faults[i].value("times", 1)))
        return carry_out(faults[i].at("do"), slot, at == "start");
    return false;
  }

  static bool concerns(const json& fault, const std::string& at, const Slot& slot) {
    if (fault.at("at") != at) return false;
    if (fault.contains("rank") && (!slot.start.gang || fault["rank"] != slot.start.gang->rank))
      return false;
    if (fault.contains("step") && fault["step"] != slot.chain.step) return false;
    const json only = fault.value("only", json::object());
    for (const auto& [field, value] : only.items())
      if (value_of(slot.start.config, field) != value) return false;
    return true;
  }

  bool claim(std::size_t fault, int times) const {
    for (int i = 0; i < times; ++i) {
      const std::string mark = settings_.at("marks").get<std::string>() + "/" +
                               std::to_string(fault) + "-" + std::to_string(i);
      const int file = open(mark.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
      if (file < 0) continue;
      close(file);
      return true;
    }
    return false;
  }

  bool carry_out(const std::string& what, Slot& slot, bool starting) {
    const auto leave = [&](const UpMessage& message) {
      say(message);
      if (starting) running_.pop_back();
      return true;
    };
    if (what == "kill" || what == "exit" || what == "half-line") {
      if (what == "half-line") unsent_ += R"({"type":"outcome","trial":")" + slot.start.trial;
      flush();
      std::cerr << "the fake worker ends as asked" << std::endl;
      if (what == "kill") raise(SIGKILL);
      std::_Exit(7);
    }
    if (what == "silence") {
      flush();
      while (true) std::this_thread::sleep_for(std::chrono::hours(1));
    }
    if (what == "stop") {
      flush();
      raise(SIGSTOP);
    }
    if (what == "leave") return leave(Left{slot.start.trial, slot.start.lease, "as asked"});
    if (what == "block" || what == "deaf") slot.blocked = true;
    if (what == "deaf") slot.deaf = true;
    if (what == "garbage") unsent_ += "Traceback: this is no message\n\x01\xff{]\n";
    if (what == "long-line") unsent_ += std::string(20 << 20, 'x');
    if (what == "fail") return leave(without_result(slot, OutcomeStatus::failed, "as asked"));
    if (what == "diverge") return leave(without_result(slot, OutcomeStatus::diverged, "as asked"));
    if (what == "out-of-memory")
      return leave(without_result(slot, OutcomeStatus::failed, "CUDA out of memory"));
    if (what == "no-scores") {
      Outcome empty = outcome(slot);
      empty.evaluations.clear();
      return leave(empty);
    }
    return false;
  }

  void beat() {
    Alive alive;
    for (const Slot& slot : running_)
      alive.slots.push_back({slot.start.trial, slot.start.lease, "training", slot.chain.step});
    say(alive);
  }

  void say(const UpMessage& message) { unsent_ += to_line(message) + "\n"; }

  // In one write a turn.
  void flush() {
    for (std::size_t done = 0; done < unsent_.size();) {
      const ssize_t written = write(STDOUT_FILENO, unsent_.data() + done, unsent_.size() - done);
      if (written < 0 && errno != EINTR) std::_Exit(1);
      if (written > 0) done += static_cast<std::size_t>(written);
    }
    unsent_.clear();
  }

  json settings_;
  std::list<Slot> running_;
  std::string pending_, unsent_;
  std::optional<Clock::time_point> said_outcome_;
};

}  // namespace
}  // namespace occam

int main() {
  signal(SIGPIPE, SIG_IGN);
  const char* const file = std::getenv("OCCAM_FAKE");
  nlohmann::json settings = nlohmann::json::object();
  if (file) settings = nlohmann::json::parse(std::ifstream(file));
  return occam::FakeWorker(std::move(settings)).run();
}
