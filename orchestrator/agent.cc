#include "orchestrator/agent.h"

#include <algorithm>

#include "experiments/error.h"
#include "experiments/number.h"

namespace occam {
namespace {

constexpr int kMostFailedStarts = 3;
// After an early end that was no accident, so that a worker that cannot live does not keep a core
// busy.
constexpr std::chrono::seconds kRestartPause{1}, kEarly{5};
// A worker that ignores Exit is killed.
constexpr std::chrono::seconds kLeavingTime{5};

}  // namespace

Agent::Agent(AgentOptions options) : options_(std::move(options)) {}

void Agent::handle(const std::string& addressed_line, Time now) {
  const Addressed read = read_address(addressed_line);
  if (read.worker == kWholeNode) return handle_own(read_down(read.line), now);
  // A worker that has ended meanwhile has been reported as lost.
  if (read.worker >= static_cast<std::int64_t>(seats_.size())) return;
  Seat& seat = seats_[read.worker];
  if (!seat.process || !seat.ready) return;
  note_down(seat, read.line, now);
  seat.process->send(read.line);
}

void Agent::note_down(Seat& seat, const std::string& line, Time now) {
  const auto speaks_of = [&](const char* words) { return line.find(words) != std::string::npos; };
  if (speaks_of(R"("type":"stop")") && !seat.stops_since) seat.stops_since = now;
  if (!speaks_of(R"("type":"start")") && !speaks_of(R"("type":"leave")")) return;
  const DownMessage message = read_down(line);
  if (const auto* start = std::get_if<Start>(&message)) {
    seat.given[start->lease] = start->trial;
    seat.running.insert(start->lease);
    if (start->gang) seat.gangs.insert(start->lease);
  }
  if (const auto* leave = std::get_if<Leave>(&message); leave && seat.gangs.count(leave->lease))
    seat.leaving.try_emplace(leave->lease, Seat::Asked{leave->trial, now});
}

void Agent::check_is_of_a_worker(const UpMessage& message) {
  if (std::holds_alternative<Lost>(message) || std::holds_alternative<Crew>(message) ||
      std::holds_alternative<Empty>(message) || std::holds_alternative<Gone>(message))
    throw Error("not for a worker to say: " + to_line(message));
}

void Agent::check_is_of(const Seat& seat, const Outcome& outcome) {
  const std::string lease = "lease " + std::to_string(outcome.lease);
  const auto given = seat.given.find(outcome.lease);
  if (given == seat.given.end()) throw Error("it is of " + lease + ", which it was never given");
  if (outcome.trial != given->second)
    throw Error("it is of trial '" + outcome.trial + "' where " + lease + " was given for trial " +
                given->second);
}

void Agent::note_up(Seat& seat, const UpMessage& message) {
  const auto end = [&](std::int64_t lease) {
    seat.running.erase(lease);
    seat.gangs.erase(lease);
    seat.leaving.erase(lease);
  };
  if (const auto* left = std::get_if<Left>(&message)) end(left->lease);
  if (const auto* outcome = std::get_if<Outcome>(&message)) end(outcome->lease);
  if (const auto* stopped = std::get_if<Stopped>(&message)) end(stopped->lease);
}

const Agent::Seat::Asked* Agent::overdue(const Seat& seat, Time now) const {
  for (const auto& [lease, asked] : seat.leaving)
    if (now - asked.at > options_.silence) return &asked;
  return nullptr;
}

bool Agent::is_deaf_to_stop(const Seat& seat, Time now) const {
  const auto is_left_out = [&](std::int64_t lease) { return seat.advances.count(lease) == 0; };
  return seat.stops_since && now - *seat.stops_since > options_.stall &&
         std::any_of(seat.running.begin(), seat.running.end(), is_left_out);
}

void Agent::say(std::int64_t number, const UpMessage& message) {
  outbox_.push_back(addressed(number, to_line(message)));
}

void Agent::handle_own(const DownMessage& message, Time now) {
  if (const auto* begin = std::get_if<Begin>(&message)) {
    // Said again when there is more to do, it starts those that had not been wanted.
    const auto lines = options_.workers(begin->device);
    for (std::size_t i = seats_.size(); i < lines.size(); ++i) {
      const auto& words = lines[i];
      if (static_cast<std::int64_t>(seats_.size()) >= begin->most_workers) break;
      seats_.push_back({words, nullptr, now, now, now});
      start(static_cast<std::int64_t>(seats_.size()) - 1, now);
    }
    begun_ = true;
    say_crew(crew());
  } else if (std::holds_alternative<Exit>(message)) {
    leaving_ = true;
    leaving_since_ = now;
    for (Seat& seat : seats_)
      if (seat.process) seat.process->send(to_line(DownMessage{Exit{}}));
  }
  say_empty_or_gone();
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

void Agent::follow(Seat& seat, const Alive& alive, Time now) const {
  std::map<std::int64_t, Advance> advances;
  for (const Alive::Slot& slot : alive.slots) {
    const auto known = seat.advances.find(slot.lease);
    Advance advance = known == seat.advances.end() ? Advance{slot, now} : known->second;
    if (slot.count != advance.last.count || slot.phase != advance.last.phase) {
      if (slot.phase == advance.last.phase && slot.count > advance.last.count)
        advance.slowest = std::max<std::chrono::duration<double>>(
            advance.slowest, (now - advance.moved) / (slot.count - advance.last.count));
      advance.last = slot;
      advance.moved = now;
    }
    advances[slot.lease] = std::move(advance);
  }
  seat.advances = std::move(advances);
}

const Agent::Advance* Agent::stalled(const Seat& seat, Time now) const {
  for (const auto& [lease, advance] : seat.advances)
    if (now - advance.moved > std::max(options_.stall, 20 * advance.slowest)) return &advance;
  return nullptr;
}

void Agent::receive(std::int64_t number, const std::string& line, Time now) {
  Seat& seat = seats_[number];
  try {
    UpMessage message = read_up(line);
    check_is_of_a_worker(message);
    if (auto* ready = std::get_if<Ready>(&message)) {
      ready->host = options_.host;
      seat.ready = true;
      seat.failed_starts = 0;
      return say(number, *ready);
    }
    if (const auto* alive = std::get_if<Alive>(&message)) follow(seat, *alive, now);
    if (const auto* outcome = std::get_if<Outcome>(&message)) {
      // It may be meant for what runs, which would never end.
      if (!seat.running.empty()) check_is_of(seat, *outcome);
      if (seat.running.count(outcome->lease) == 0)
        return say(number,
                   Log{"an outcome of lease " + std::to_string(outcome->lease) +
                       ", which this worker was not given or has ended, counts for nothing"});
    }
    note_up(seat, message);
    outbox_.push_back(addressed(number, line));
  } catch (const Error& problem) {
    const auto is_a = [&](const char* type) {
      return line.starts_with('{') && line.find(type) != std::string::npos;
    };
    // Its trial would never end, or it would never begin.
    const char* lost = is_a("\"outcome\"")                ? "an outcome"
                       : is_a("\"ready\"") && !seat.ready ? "a ready"
                                                          : nullptr;
    if (!lost) return say(number, Log{problem.what()});
    seat.process->kill();
    lose(number,
         std::string("the worker brought ") + lost +
             " that is of no use and was killed: " + problem.what(),
         now);
  }
}

void Agent::lose(std::int64_t number, const std::string& reason, Time now, std::int64_t culprit) {
  Seat& seat = seats_[number];
  const std::string log = seat.process ? seat.process->log_tail() : "";
  const bool was_ready = seat.ready;
  seat.process.reset();
  seat.ready = false;
  seat.advances.clear();
  seat.given.clear();
  seat.running.clear();
  seat.stops_since.reset();
  seat.gangs.clear();
  seat.leaving.clear();
  if (!was_ready) ++seat.failed_starts;
  seat.early_ends = now - seat.started < kEarly ? seat.early_ends + 1 : 0;
  const bool pauses = seat.early_ends > 1 || (seat.early_ends == 1 && !was_ready);
  seat.start_at = pauses ? now + kRestartPause : now;
  if (!leaving_) say(number, Lost{reason, log, culprit});
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
      receive(number, line, now);
      if (!seat.process) break;
    }
    if (!seat.process) continue;
    if (const auto end = seat.process->ended()) {
      lose(number, "the worker " + *end, now);
    } else if (now - seat.heard > options_.silence) {
      seat.process->kill();
      lose(number,
           "the worker was silent for " + spelled(options_.silence.count()) + " s and was killed",
           now);
    } else if (const Seat::Asked* deaf = overdue(seat, now)) {
      const std::string reason = "the worker was asked to leave the gang of trial " + deaf->trial +
                                 ", did not in " + spelled(options_.silence.count()) +
                                 " s and was killed";
      seat.process->kill();
      lose(number, reason, now);
    } else if (is_deaf_to_stop(seat, now)) {
      const std::string reason = "the worker was asked to stop what runs, did not in " +
                                 spelled(options_.stall.count()) +
                                 " s, says nothing of it and was killed";
      seat.process->kill();
      lose(number, reason, now);
    } else if (const Advance* hung = stalled(seat, now)) {
      const std::chrono::duration<double> still = now - hung->moved;
      const std::string reason = "trial " + hung->last.trial + " stood still at " +
                                 std::to_string(hung->last.count) + " of " + hung->last.phase +
                                 " for " + spelled(static_cast<std::int64_t>(still.count())) +
                                 " s, so its worker was killed";
      seat.process->kill();
      lose(number, reason, now, hung->last.lease);
    } else if (leaving_ && now - leaving_since_ > kLeavingTime) {
      seat.process->kill();
    }
  }
  say_empty_or_gone();
}

std::int64_t Agent::crew() const {
  return std::count_if(seats_.begin(), seats_.end(), [](const Seat& seat) {
    return seat.process || seat.failed_starts < kMostFailedStarts;
  });
}

void Agent::say_crew(std::int64_t crew) {
  said_crew_ = crew;
  say(kWholeNode, Crew{crew});
}

void Agent::say_empty_or_gone() {
  if (gone_) return;
  if (const std::int64_t now = crew(); begun_ && !leaving_ && now != said_crew_) say_crew(now);
  const auto all = [&](auto holds) { return std::all_of(seats_.begin(), seats_.end(), holds); };
  if (leaving_ && all([](const Seat& seat) { return !seat.process; })) {
    gone_ = true;
    say(kWholeNode, Gone{});
  } else if (begun_ && !leaving_ && !said_empty_ && all([](const Seat& seat) {
               return !seat.process && seat.failed_starts >= kMostFailedStarts;
             })) {
    said_empty_ = true;
    say(kWholeNode, Empty{});
  }
}

std::chrono::microseconds Agent::patience(Time now) const {
  constexpr std::chrono::microseconds kLongest{500'000}, kReaping{1'000};
  std::chrono::microseconds patience = kLongest;
  for (const Seat& seat : seats_) {
    // Its output has ended, and the process is about to.
    if (seat.process && seat.process->output() < 0) patience = std::min(patience, kReaping);
    if (seat.process || leaving_ || seat.failed_starts >= kMostFailedStarts) continue;
    patience = std::min(patience, std::chrono::duration_cast<std::chrono::microseconds>(
                                      std::max(seat.start_at, now) - now));
  }
  return patience;
}

std::vector<std::string> Agent::take() { return std::exchange(outbox_, {}); }

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
