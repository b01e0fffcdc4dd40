#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "experiments/message.h"
#include "orchestrator/worker_process.h"

namespace occam {

struct AgentOptions {
  std::string host;
  // The command line of each worker that the node should have on a device ("cpu" or "cuda").
  std::function<std::vector<std::vector<std::string>>(const std::string& device)> workers;
  std::chrono::duration<double> silence{20};  // without a word a worker counts as hung
  // A trial whose count stands still for so long, and for 20 times its slowest step, has hung.
  // Those that a worker's heartbeats leave out have as long once they are to stop.
  std::chrono::duration<double> stall{300};
};

// One node's end of a sweep: starts the node's workers, passes lines between them and the
// coordinator, and turns their end or their silence into `lost` and a fresh worker; one that was
// asked to leave its gang and does not answer is as silent. Time comes in
// as an argument. One thread.
class Agent {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit Agent(AgentOptions options);

  // From the coordinator; what is for a worker is handed on as it is.
  void handle(const std::string& addressed_line, Time now);
  void handle(const Down& down, Time now) { handle(to_line(down), now); }
  void pump(Time now);              // reads and restarts workers; never waits
  std::vector<std::string> take();  // addressed lines for the coordinator, in order

  void add_descriptors(std::vector<pollfd>& descriptors) const;
  // How long a wait on them may last before the agent wants to be pumped again.
  std::chrono::microseconds patience(Time now) const;
  // Said `gone`, after Exit.
  bool gone() const { return gone_; }
  void kill_all();

 private:
  struct Advance {  // of one trial, as its worker's heartbeats tell
    Alive::Slot last;
    Time moved;
    std::chrono::duration<double> slowest{0};  // step
  };
  struct Seat {  // a worker number, and the process that has it now
    std::vector<std::string> words;
    std::unique_ptr<WorkerProcess> process;
    Time started, heard, start_at;
    bool ready = false;
    int failed_starts = 0;                           // in a row
    int early_ends = 0;                              // in a row
    std::map<std::int64_t, Advance> advances = {};   // of the trials in it, by lease
    std::map<std::int64_t, std::string> given = {};  // trials by lease, be they over
    std::set<std::int64_t> running = {};             // leases, listed in its heartbeats or not
    std::optional<Time> stops_since = {};
    std::set<std::int64_t> gangs = {};  // in which it takes part, by lease
    struct Asked {
      std::string trial;
      Time at;
    };
    std::map<std::int64_t, Asked> leaving = {};  // of those, which it was asked to leave
  };
  void start(std::int64_t number, Time now);
  void receive(std::int64_t number, const std::string& line, Time now);
  void follow(Seat& seat, const Alive& alive, Time now) const;
  const Advance* stalled(const Seat& seat, Time now) const;
  const Seat::Asked* overdue(const Seat& seat, Time now) const;
  bool is_deaf_to_stop(const Seat& seat, Time now) const;
  static void note_down(Seat& seat, const std::string& line, Time now);
  static void note_up(Seat& seat, const UpMessage& message);
  static void check_is_of_a_worker(const UpMessage& message);
  static void check_is_of(const Seat& seat, const Outcome& outcome);
  std::int64_t crew() const;
  void handle_own(const DownMessage& message, Time now);
  void say(std::int64_t number, const UpMessage& message);
  void lose(std::int64_t number, const std::string& reason, Time now, std::int64_t culprit = 0);
  void say_crew(std::int64_t crew);
  void say_empty_or_gone();

  AgentOptions options_;
  std::vector<Seat> seats_;
  std::vector<std::string> outbox_;
  std::int64_t said_crew_ = 0;
  bool begun_ = false, said_empty_ = false, leaving_ = false, gone_ = false;
  Time leaving_since_;
};

}  // namespace occam
