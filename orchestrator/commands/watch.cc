#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/progress.h"
#include "results/spool.h"
#include "results/sql_text.h"
#include "results/store.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kWatchUsage = R"(occam watch [DB] [OPTIONS]

A running sweep, live: progress, what every worker does and how fast, the last failures, when it
will be done. On a terminal it is drawn anew until the sweep ends; elsewhere it is printed once.

Examples:
  occam watch occam.db
  occam watch occam.db --every 10
)";

using Texts = Store::Texts;

std::string bar(double share) {
  constexpr int kWidth = 40;
  std::string text;
  for (int i = 0; i < kWidth; ++i) text += i < share * kWidth ? "█" : "░";
  return text;
}

// Seconds until all is done, by the pace of the last outcomes; nothing to go by is none.
std::optional<double> time_left(const Store& store, const SweepStatus& sweep) {
  if (sweep.left() <= 0) return std::nullopt;
  const auto pace = store.texts(
      "SELECT count(*), (julianday('now') - julianday(min(recorded_at))) * 86400 FROM (SELECT "
      "recorded_at FROM outcome WHERE recorded_at >= (SELECT min(started_at) FROM attempt WHERE "
      "state = 'running') ORDER BY recorded_at DESC LIMIT 100)");
  const Texts& row = pace.front();
  const double count = std::stod(row[0].value_or("0"));
  if (count < 2 || !row[1]) return std::nullopt;
  return static_cast<double>(sweep.left()) * std::stod(*row[1]) / count;
}

std::string worker_lines(const Store& store) {
  const auto running = store.texts(
      "SELECT a.host, a.node, a.worker, a.device, a.trial, a.number, "
      "(julianday('now') - julianday(a.started_at)) * 86400, max(e.epoch), e.images_per_second, "
      "e.loss FROM attempt a LEFT JOIN epoch e ON e.trial = a.trial AND e.attempt = a.number WHERE "
      "a.state = 'running' GROUP BY a.lease ORDER BY a.node, a.worker, a.lease");
  std::string text;
  for (const Texts& one : running) {
    text += fmt::format("  {} node {} worker {} ({}): trial {}, attempt {}, {}", *one[0], *one[1],
                        *one[2], *one[3], *one[4], *one[5],
                        duration_text(std::stod(one[6].value_or("0"))));
    if (one[7]) text += fmt::format(", epoch {}", *one[7]);
    if (one[8]) text += fmt::format(", {:.0f} images/s", std::stod(*one[8]));
    if (one[9]) text += fmt::format(", loss {:.4f}", std::stod(*one[9]));
    text += "\n";
  }
  return text;
}

std::string failure_lines(const Store& store) {
  std::string text;
  for (const Texts& one :
       store.texts("SELECT ended_at, trial, number, error FROM attempt WHERE state "
                   "= 'failed' AND forgiven_at IS NULL ORDER BY lease DESC LIMIT 5")) {
    const auto lines = split_lines(one[3].value_or(""));
    text += fmt::format("  {} trial {} attempt {}: {}\n", one[0].value_or(""), *one[1], *one[2],
                        lines.empty() ? "" : lines.front());
  }
  return text.empty() ? "" : "last failures:\n" + text;
}

std::string picture(const Store& store, bool running) {
  const std::vector<SweepStatus> sweeps = store.status();
  if (sweeps.empty()) return "no sweep yet\n";
  const SweepStatus& sweep = sweeps.front();
  const auto done = static_cast<double>(sweep.completed + sweep.diverged);
  std::string text =
      fmt::format("{}  {} {}/{} trials", sweep.name,
                  bar(done / static_cast<double>(std::max<std::int64_t>(1, sweep.trials))),
                  sweep.completed + sweep.diverged, sweep.trials);
  if (sweep.diverged > 0) text += fmt::format(", {} of them diverged", sweep.diverged);
  if (sweep.failed > 0) text += fmt::format(", {} failed", sweep.failed);
  if (sweep.cancelled > 0) text += fmt::format(", {} cancelled", sweep.cancelled);
  if (running)
    if (const auto left = time_left(store, sweep))
      text += fmt::format(", about {} left", duration_text(*left));
  text += "\n";
  text += running ? worker_lines(store) : "  no coordinator runs\n";
  return text + failure_lines(store);
}

int run_watch(const std::vector<std::string>& words) {
  double every = 2;
  po::options_description described("Options");
  described.add_options()("every", po::value(&every)->default_value(2), "seconds between pictures");
  const Arguments arguments(words, described, 0, 1, kWatchUsage);
  if (arguments.helped()) return 0;
  if (!(every >= 0.1)) throw UsageError("--every must be at least 0.1");
  const std::string database =
      arguments.positional().empty() ? "occam.db" : arguments.positional().front();
  const bool live = isatty(STDOUT_FILENO) == 1;
  while (true) {
    const bool running = is_written(database);
    // Opened anew each time: the log may have been folded in since.
    const std::string text =
        picture(Store(database, Store::Mode::read), running) + waiting_text(database);
    fmt::print("{}{}", live ? "\033[H\033[2J" : "", text);
    std::fflush(stdout);
    if (!live || !running) return 0;
    poll(nullptr, 0, static_cast<int>(every * 1000));
  }
}

}  // namespace

const Subcommand kWatchCommand{"watch", "a running sweep, live", run_watch};

}  // namespace occam
