#include "worker/serve.h"

#include <ATen/Parallel.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "experiments/error.h"
#include "experiments/message.h"
#include "generated/revision.h"
#include "worker/benches.h"
#include "worker/device.h"
#include "worker/packing.h"
#include "worker/run_trial.h"

namespace occam {
namespace {

// Writes whole lines from any thread. When nobody reads any more the process has no purpose.
class LineWriter {
 public:
  explicit LineWriter(int descriptor) : descriptor_(descriptor) {}
  void write(const UpMessage& message) {
    const std::string line = to_line(message) + "\n";
    const std::lock_guard lock(mutex_);
    for (std::size_t done = 0; done < line.size();) {
      const ssize_t written = ::write(descriptor_, line.data() + done, line.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) std::_Exit(1);
      done += static_cast<std::size_t>(written);
    }
  }

 private:
  int descriptor_;
  std::mutex mutex_;
};

class LineReader {
 public:
  explicit LineReader(int descriptor) : descriptor_(descriptor) {}
  // False at the end of the input.
  bool next(std::string& line) {
    while (true) {
      const std::size_t end = pending_.find('\n');
      if (end != std::string::npos) {
        line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        return true;
      }
      char buffer[65536];
      const ssize_t got = read(descriptor_, buffer, sizeof buffer);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      pending_.append(buffer, static_cast<std::size_t>(got));
    }
  }

 private:
  int descriptor_;
  std::string pending_;
};

// Reading data cannot be broken off, and a GPU may hang.
constexpr std::chrono::seconds kMostToLeave(30);

// A trial that runs on a thread of its own.
struct Slot {
  Start start;
  Pulse pulse;
  std::shared_ptr<Group> group;  // of a member of a gang
  std::atomic<bool> leaves{false};
  std::chrono::steady_clock::time_point asked_to_leave;
  std::atomic<bool> scoring{false};  // its bench is given back
  std::atomic<bool> done{false};
  std::thread thread;
};

class Server {
 public:
  Server(int out, const ServeOptions& options)
      : options_(options), writer_(out), images_(options.data) {}

  int run(int in) {
    std::thread heart([this] { beat(); });
    heart.detach();
    const auto log = [this](const std::string& text) { writer_.write(Log{text}); };
    if (options_.slots == 0)
      options_.slots = measured_slots(options_.device, options_.parts, options_.cache, log);
    benches_.emplace(options_.device, options_.slots,
                     parts_of(options_.device, options_.slots, options_.parts), log);
    writer_.write(Ready{"", device_name(options_.device), options_.slots,
                        device_memory(options_.device), OCCAM_NUMERIC_DIGEST,
                        "torch " TORCH_VERSION, options_.device.is_cpu() || options_.deterministic,
                        OCCAM_REVISION});
    LineReader reader(in);
    for (std::string line; reader.next(line);) {
      try {
        const DownMessage message = read_down(line);
        if (std::holds_alternative<Exit>(message)) std::_Exit(0);
        if (std::holds_alternative<Stop>(message)) stop();
        if (const auto* leave = std::get_if<Leave>(&message)) send_away(*leave);
        if (const auto* start = std::get_if<Start>(&message)) begin(*start);
      } catch (const Error& problem) {
        writer_.write(Log{problem.what()});
      }
    }
    // Whoever started us is gone; checkpoints of known leases make the work so far count.
    std::_Exit(0);
  }

 private:
  void begin(const Start& start) {
    const std::lock_guard lock(mutex_);
    std::erase_if(slots_, [](const auto& slot) {
      if (!slot->done) return false;
      slot->thread.join();
      return true;
    });
    auto made = std::make_unique<Slot>();
    made->start = start;
    if (start.gang) try {
        made->group = make_group(options_.device, *start.gang,
                                 std::chrono::duration<double>(options_.gang_timeout));
      } catch (const std::exception& problem) {
        return writer_.write(Left{start.trial, start.lease, problem.what()});
      }
    Slot& slot = *slots_.emplace_back(std::move(made));
    slot.thread = std::thread([this, &slot] { work(slot); });
  }

  void stop() {
    stop_ = true;
    // Who still waits for the rest of a gang need not: they may never come.
    const std::lock_guard lock(mutex_);
    for (const auto& slot : slots_)
      if (slot->group && slot->pulse.phase == Pulse::Phase::joining)
        slot->group->abort("it was stopped before all had come");
  }

  void send_away(const Leave& leave) {
    const std::lock_guard lock(mutex_);
    for (const auto& slot : slots_) {
      if (slot->start.lease != leave.lease || slot->start.trial != leave.trial || !slot->group ||
          slot->done)
        continue;
      slot->asked_to_leave = std::chrono::steady_clock::now();
      slot->leaves = true;
      slot->group->abort("rank " + std::to_string(slot->group->rank()) + " was asked to leave");
    }
  }

  void work(Slot& slot) {
    at::set_num_threads(options_.threads);
    // Once the images are there, it is known how many trials came together.
    try {
      images_.get(slot.start.config.dataset, slot.start.config.source);
    } catch (const std::exception&) {  // run_trial meets and says it
    }
    RunOptions run;
    run.build = OCCAM_NUMERIC_DIGEST;
    run.checkpoint_every = options_.checkpoint_every;
    run.stop_wanted = [this, &slot] { return stop_ || slot.leaves; };
    run.group = slot.group;
    run.on_ticket = [&](const std::string& ticket) {
      writer_.write(Ticket{slot.start.trial, slot.start.lease, ticket});
    };
    run.on_progress = [this](const Progress& progress) { writer_.write(progress); };
    run.on_saved = [this](const Saved& saved) { writer_.write(saved); };
    run.on_problem = [this, said = std::string()](const std::string& text) mutable {
      if (std::exchange(said, text) != text) writer_.write(Log{text});
    };
    run.moves = benches_->moves(slot.start.config, slot.start.share, [this] { return running(); });
    auto brought = on_a_bench(slot, run);
    if (const auto* outcome = std::get_if<Outcome>(&brought);
        outcome && outcome->status == OutcomeStatus::failed)
      leave_lost_device(outcome->error);
    if (slot.leaves && std::holds_alternative<Stopped>(brought))
      brought = Left{slot.start.trial, slot.start.lease, "it was asked to leave"};
    run.group.reset();
    {
      const std::lock_guard lock(mutex_);
      slot.group.reset();
    }
    if (const auto* left = std::get_if<Left>(&brought); left && !left->reason.empty())
      leave_lost_device(left->reason);
    slot.done = true;
    std::visit([this](const auto& message) { writer_.write(message); }, brought);
  }

  std::variant<Outcome, Stopped, Left> on_a_bench(Slot& slot, RunOptions& run) {
    std::unique_ptr<Bench> bench;
    try {
      bench = benches_->take(slot.start.config, slot.start.share, running());
    } catch (const std::exception& problem) {
      return Outcome{slot.start.trial, slot.start.lease, OutcomeStatus::failed,
                     "trial " + slot.start.trial + ": " + problem.what()};
    }
    // On a CPU a trial is scored by the core that would train the next.
    if (options_.device.is_cuda())
      run.on_scoring = [&](std::unique_ptr<Bench>& free) {
        slot.scoring = true;
        benches_->give_back(std::move(free));
        writer_.write(Scoring{slot.start.trial, slot.start.lease});
      };
    auto brought = run_trial(slot.start, images_, bench, slot.pulse, run);
    if (bench) benches_->give_back(std::move(bench));
    return brought;
  }

  // Whose fault it was of the trials here cannot be told, and the others cannot go on: the worker
  // ends, as if killed, and they are tried again.
  void leave_lost_device(const std::string& problem) {
    const std::string loss = device_loss(options_.device);
    if (loss.empty()) return;
    writer_.write(Log{options_.device.str() + " is lost to this process (" + loss +
                      "; first: " + problem + "); the worker ends itself"});
    std::_Exit(1);
  }

  int running() {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) {
      return !slot->done && !slot->scoring;
    }));
  }

  void beat() {
    while (true) {
      std::this_thread::sleep_for(std::chrono::seconds(2));
      Alive alive;
      {
        const std::lock_guard lock(mutex_);
        for (const auto& slot : slots_)
          if (slot->leaves && !slot->done &&
              std::chrono::steady_clock::now() - slot->asked_to_leave > kMostToLeave) {
            writer_.write(Log{"trial " + slot->start.trial +
                              " did not let go of its gang; the worker ends itself"});
            std::_Exit(1);
          }
        for (const auto& slot : slots_)
          if (!slot->done)
            alive.slots.push_back({slot->start.trial, slot->start.lease,
                                   to_string(slot->pulse.phase.load()), slot->pulse.count});
      }
      writer_.write(alive);
    }
  }

  ServeOptions options_;
  LineWriter writer_;
  ImageCache images_;
  std::optional<Benches> benches_;
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of slots_, which the heartbeat reads
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace

int serve(int in, int out, const ServeOptions& options) { return Server(out, options).run(in); }

}  // namespace occam
