#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "experiments/evaluation.h"

namespace occam {

// The one-line JSON messages between a worker and whoever started it; the same text goes over a
// pipe and over MPI. {"type": "start", …}. Any program that speaks them can be a worker.

// ---- to a node's agent ----

struct Begin {
  std::string device;         // "cpu" or "cuda"
  std::int64_t most_workers;  // more would have nothing to do
};

// ---- to a worker ----

// A worker's place among the workers that train one trial together, data-parallel. The first (rank
// 0) is started alone, without a ticket: it makes one, sends it up as Ticket, and speaks for the
// gang in all else. The others are started with that ticket, under the same lease.
struct Gang {
  std::int64_t rank, size;  // 0…size-1; size at least 1
  std::string ticket;       // how to meet rank 0; opaque to all but workers
};

// What stays of a trial after its outcome.
struct Keep {
  std::string folder =
      "";                 // <DB>.kept/<trial>, written whole or not at all; see experiments/kept.h
  bool features = false;  // of the network, for classifiers to come
  bool weights = false;
  bool scores = false;      // of every image
  bool score_only = false;  // do not train: score the features that the folder holds
  bool operator==(const Keep&) const = default;
};

struct Start {
  std::string trial;  // its id
  Trial config;
  std::vector<EvaluationRequest> evaluations;
  std::int64_t lease;                   // of this attempt; comes back with everything about it
  std::vector<std::int64_t> resumable;  // leases whose checkpoints may be continued
  std::string folder;                   // where this trial's checkpoints live; may not exist yet
  double share = 1;                     // of the worker's device, that the trial is meant to use
  Keep keep = {};
  std::optional<Gang> gang = {};  // none: the worker trains it by itself
};
// Leave the gang of this lease, whose other members are gone or going: answer `left` within
// seconds, whatever the trial was doing, and be ready for the next.
struct Leave {
  std::string trial;
  std::int64_t lease;
};
struct Stop {};  // checkpoint every trial, answer `stopped` for each, take no more
struct Exit {};  // end now; nothing is running

// ---- from a worker ----

struct Ready {
  std::string host;       // filled in by the agent
  std::string device;     // "cpu", or the GPU's name
  std::int64_t slots;     // trials it can run at once
  std::int64_t memory;    // bytes on the device; 0 is unknown
  std::string build;      // digest of the sources that decide numbers: equal is comparable
  std::string libraries;  // "torch 2.11.0"
  bool deterministic;     // the same trial gives the same bits again
  std::string revision;   // of the whole code, with "-dirty" where it was changed
};

// Sent every 2 s from a thread that does not train, with one entry a running trial.
struct Alive {
  struct Slot {
    std::string trial;
    std::int64_t lease;
    std::string phase;   // "loading", "joining" a gang, "training", "evaluating"
    std::int64_t count;  // steps or images so far in this phase; standing still means hung
  };
  std::vector<Slot> slots;
};

// One row of a training curve, sent at the end of an epoch and when the last one ends.
struct Progress {
  std::string trial;
  std::int64_t lease;
  std::int64_t epoch, of;  // 1…of
  double loss, accuracy;   // means over the epoch
  double learning_rate;
  double images_per_second;
};

// The trial's checkpoint is on the disk, after so many of its steps.
struct Saved {
  std::string trial;
  std::int64_t lease;
  std::int64_t step;
};

// The trial is trained and needs its slot no more: another may start there while it is scored.
struct Scoring {
  std::string trial;
  std::int64_t lease;
};

enum class OutcomeStatus { completed, diverged, failed };
template <>
std::span<const std::string_view> names_of<OutcomeStatus>();

// What an attempt brought. `diverged` (the loss left the real numbers) is a result, final and never
// retried; `failed` is an error of this attempt.
struct Outcome {
  std::string trial;
  std::int64_t lease;
  OutcomeStatus status;
  std::string error = "";  // of diverged and failed
  std::vector<Evaluation> evaluations = {};
  double train_seconds = 0, evaluate_seconds = 0;
  std::int64_t steps = 0;
  std::string data = "";  // content digest of the data set
  // Why the training counts as collapsed, from training data alone; empty when it does not. Its
  // scores count, and tables say so.
  std::string collapsed = "";
  // What made the numbers, where that is more than the worker's own `build`: scores of kept
  // features come from the build that trained and the one that scored. Empty: the worker's own.
  std::string build = "";
};

// The trial has checkpointed and left its slot, after `stop`.
struct Stopped {
  std::string trial;
  std::int64_t lease;
};
// From rank 0 of a gang: how the others meet it.
struct Ticket {
  std::string trial;
  std::int64_t lease;
  std::string ticket;
};
// A member of a gang is free again: a rank above 0 whose part is done (rank 0 sends the outcome or
// `stopped`), or any rank that was asked to leave or whose gang broke, with the reason ("" where
// all is well). After a reason it may be that the attempt came to nothing.
struct Left {
  std::string trial;
  std::int64_t lease;
  std::string reason;
};
struct Log {
  std::string text;
};

// ---- added by the agent, between a worker and the coordinator ----

// The worker's process ended, with its last words on stderr.
struct Lost {
  std::string reason;
  std::string log_tail;
  std::int64_t culprit = 0;  // lease of the attempt that is known to have ended it, or 0
};
// How many workers the node has or hopes to start: the answer to Begin, and said again when one has
// failed to start too often.
struct Crew {
  std::int64_t workers;
};
// The node has no worker and will start none: it was given none, or all failed to start.
struct Empty {};
// The answer to Exit: the workers have left, and the agent with them.
struct Gone {};

using DownMessage = std::variant<Begin, Start, Leave, Stop, Exit>;
using UpMessage = std::variant<Ready, Alive, Progress, Saved, Ticket, Scoring, Outcome, Stopped,
                               Left, Log, Lost, Crew, Empty, Gone>;

// A message with the worker's number on its node: what agents and the coordinator exchange.
inline constexpr std::int64_t kWholeNode = -1;
struct Down {
  std::int64_t worker;  // or kWholeNode: Begin starts its workers, Exit ends them and the agent
  DownMessage message;
};
struct Up {
  std::int64_t worker;  // or kWholeNode
  UpMessage message;
};

// One line without its newline. Reading throws Error that quotes the line and says what is wrong.
std::string to_line(const DownMessage& message);
std::string to_line(const UpMessage& message);
std::string to_line(const Down& message);
std::string to_line(const Up& message);
DownMessage read_down(const std::string& line);
UpMessage read_up(const std::string& line);
// Between agents and the coordinator a line stands behind the worker's number and a space, so that
// an agent can hand it on as it is.
struct Addressed {
  std::int64_t worker;
  std::string line;
};
std::string addressed(std::int64_t worker, const std::string& line);
Addressed read_address(const std::string& line);
Down read_addressed_down(const std::string& line);
Up read_addressed_up(const std::string& line);

}  // namespace occam
