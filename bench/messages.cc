// Messages a second between the coordinator's rank and the others, through the link that a sweep
// uses: starts down, outcomes up, and every rank waits as it does in a sweep.
// mpirun --oversubscribe -n 4 build/release/bin/bench_messages
#include <fmt/format.h>
#include <poll.h>

#include <chrono>
#include <vector>

#include "experiments/message.h"
#include "experiments/spec.h"
#include "orchestrator/link/link.h"

namespace {

using namespace occam;
using Clock = std::chrono::steady_clock;

constexpr int kOnTheirWay = 64;  // starts to each rank that are not answered yet
constexpr std::chrono::seconds kTime(5);

void wait(const Link& link) {
  const std::chrono::microseconds patience = link.patience();
  const timespec time{0, patience.count() % 1'000'000 * 1000};
  ppoll(nullptr, 0, &time, nullptr);
}

void answer(Link& link, const std::string& outcome, const std::string& end) {
  for (bool over = false; !over;) {
    for (const std::string& line : link.from_coordinator()) {
      over |= line == end;
      if (!over) link.to_coordinator(outcome);
    }
    link.flush();
    if (!over) wait(link);
  }
  link.to_coordinator(end);
  link.flush();
}

void ask(Link& link, const std::string& start, const std::string& end) {
  std::size_t bytes = 0, down = 0, up = 0;
  const auto send = [&](int node) {
    link.to_node(node, start);
    bytes += start.size();
    ++down;
  };
  for (int node = 1; node < link.size(); ++node)
    for (int i = 0; i < kOnTheirWay; ++i) send(node);
  const auto began = Clock::now();
  Clock::duration taken{};
  for (int left = 1; left < link.size();) {
    for (const auto& [node, line] : link.from_nodes()) {
      if (line == end) {
        ++left;
        continue;
      }
      bytes += line.size();
      ++up;
      if (taken == Clock::duration{}) send(node);
    }
    if (taken == Clock::duration{} && Clock::now() - began > kTime) {
      taken = Clock::now() - began;
      for (int node = 1; node < link.size(); ++node) link.to_node(node, end);
    }
    link.flush();
    if (left < link.size()) wait(link);
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  fmt::print("{} ranks: {:.0f} messages a second, {:.0f} bytes each on average\n", link.size(),
             static_cast<double>(down + up) / seconds,
             static_cast<double>(bytes) / static_cast<double>(down + up));
}

}  // namespace

int main() {
  const auto link = make_link();
  if (link->size() < 2) {
    fmt::print("start it with mpirun -n 2 or more\n");
    return 1;
  }
  const Trial trial;
  const std::string id = id_of(trial);
  Start start{id, trial, default_evaluations(), 1, {1}, "/work/" + id};
  Outcome outcome{id, 1, OutcomeStatus::completed};
  for (const EvaluationRequest& one : start.evaluations)
    outcome.evaluations.push_back({one, 0.9, 0.9, 0.1, 9000, 1000, 1.5});
  const std::string end = to_line(Down{kWholeNode, Exit{}});
  if (link->rank() == 0)
    ask(*link, to_line(Down{0, start}), end);
  else
    answer(*link, addressed(0, to_line(UpMessage{outcome})), end);
  link->finish();
}
