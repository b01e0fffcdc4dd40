#include "orchestrator/agent.h"

#include <algorithm>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

constexpr int kMostFailedStarts = 3;
// After an early end, so that a worker that cannot live does not keep a core busy.
constexpr std::chrono::seconds kRestartPause{1}, kEarly{5};
// A worker that ignores Exit is killed.
constexpr std::chrono::seconds kLeavingTime{5};

}  // namespace

Agent::Agent(AgentOptions options) : options_(std::move(options)) {}

void Agent::handle(const Down& down, Time now) {
  if (down.worker == kWholeNode) {
    if (const auto* begin = std::get_if<Begin>(&down.message)) {
      for (const auto& words : options_.workers(begin->device)) {
        if (static_cast<std::int64_t>(seats_.size()) == begin->most_workers) break;
        seats_.push_back({words, nullptr, now, now, now});
        start(static_cast<std::int64_t>(seats_.size()) - 1, now);
      }
      begun_ = true;
    } else if (std::holds_alternative<Exit>(down.message)) {
      leaving_ = true;
      leaving_since_ = now;
      for (Seat& seat : seats_)
        if (seat.process) seat.process->send(to_line(DownMessage{Exit{}}));
    }
    say_empty_or_gone();
    return;
  }
  // A worker that has ended meanwhile has been reported as lost.
  if (down.worker >= static_cast<std::int64_t>(seats_.size())) return;
  Seat& seat = seats_[down.worker];
  if (seat.process && seat.ready) seat.process->send(to_line(down.message));
}

void Agent::start(std::int64_t number, Time now) {
  Seat& seat = seats_[number];
  seat.ready = false;
  seat.started = seat.heard = now;
  try {
    seat.process = std::make_unique<WorkerProcess>(seat.words);
  } catch (const Error& problem) {
    lose(number, problem.what(), now);
  }
}

void Agent::receive(std::int64_t number, const std::string& line) {
  Seat& seat = seats_[number];
  try {
    UpMessage message = read_up(line);
    if (auto* ready = std::get_if<Ready>(&message)) {
      ready->host = options_.host;
      seat.ready = true;
      seat.failed_starts = 0;
    }
    outbox_.push_back({number, std::move(message)});
  } catch (const Error& problem) {
    outbox_.push_back({number, Log{problem.what()}});
  }
}

void Agent::lose(std::int64_t number, const std::string& reason, Time now) {
  Seat& seat = seats_[number];
  const std::string log = seat.process ? seat.process->log_tail() : "";
  const bool was_ready = seat.ready;
  seat.process.reset();
  seat.ready = false;
  if (!was_ready) ++seat.failed_starts;
  seat.start_at = now - seat.started < kEarly ? now + kRestartPause : now;
  if (!leaving_) outbox_.push_back({number, Lost{reason, log}});
}

void Agent::pump(Time now) {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const auto number = static_cast<std::int64_t>(i);
    Seat& seat = seats_[i];
    if (!seat.process) {
      if (!leaving_ && seat.failed_starts < kMostFailedStarts && now >= seat.start_at)
        start(number, now);
      continue;
    }
    for (const std::string& line : seat.process->pump()) {
      seat.heard = now;
      receive(number, line);
    }
    if (const auto end = seat.process->ended()) {
      lose(number, "the worker " + *end, now);
    } else if (now - seat.heard > options_.silence) {
      seat.process->kill();
      lose(number,
           "the worker was silent for " + spelled(options_.silence.count()) + " s and was killed",
           now);
    } else if (leaving_ && now - leaving_since_ > kLeavingTime) {
      seat.process->kill();
    }
  }
  say_empty_or_gone();
}

void Agent::say_empty_or_gone() {
  if (gone_) return;
  const auto all = [&](auto holds) { return std::all_of(seats_.begin(), seats_.end(), holds); };
  if (leaving_ && all([](const Seat& seat) { return !seat.process; })) {
    gone_ = true;
    outbox_.push_back({kWholeNode, Gone{}});
  } else if (begun_ && !leaving_ && !said_empty_ && all([](const Seat& seat) {
               return !seat.process && seat.failed_starts >= kMostFailedStarts;
             })) {
    said_empty_ = true;
    outbox_.push_back({kWholeNode, Empty{}});
  }
}

std::vector<Up> Agent::take() { return std::exchange(outbox_, {}); }

void Agent::add_descriptors(std::vector<pollfd>& descriptors) const {
  for (const Seat& seat : seats_) {
    if (!seat.process) continue;
    for (int descriptor : {seat.process->output(), seat.process->errors()})
      if (descriptor >= 0) descriptors.push_back({descriptor, POLLIN, 0});
    if (seat.process->wants_to_write() && seat.process->input() >= 0)
      descriptors.push_back({seat.process->input(), POLLOUT, 0});
  }
}

void Agent::kill_all() {
  for (Seat& seat : seats_)
    if (seat.process) seat.process->kill();
}

}  // namespace occam
