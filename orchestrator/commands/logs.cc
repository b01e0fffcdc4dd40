#include <fmt/format.h>
#include <poll.h>

#include <cstdio>
#include <fstream>
#include <set>

#include "experiments/error.h"
#include "orchestrator/commands/choice.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/event_log.h"

namespace occam {
namespace {

namespace po = boost::program_options;
using nlohmann::json;

constexpr const char* kLogsUsage = R"(occam logs DB [TRIAL] [OPTIONS]

What happened to a trial, in order: starts, what its worker said meanwhile, ends. Without a trial,
all that happened in the sweeps of the database (the file DB.events.jsonl).

Examples:
  occam logs occam.db 3f2a91
  occam logs occam.db 3f2a91 -f            and what comes
)";

// Picks the events that concern one trial, its workers' while it ran there included.
class Concerns {
 public:
  explicit Concerns(std::string trial) : trial_(std::move(trial)) {}

  bool operator()(const json& event) {
    if (trial_.empty()) return true;
    const std::string what = event.value("event", "");
    const std::pair place{event.value("node", -1), event.value("worker", -1)};
    const std::int64_t lease = event.value("lease", std::int64_t{0});
    if (event.value("trial", "") == trial_) {
      if (what == "started") running_[lease] = place;
      if (what == "outcome") running_.erase(lease);
      return true;
    }
    if (what == "ended") return running_.erase(lease) > 0;
    if (what == "log" || what == "lost")
      return std::any_of(running_.begin(), running_.end(),
                         [&](const auto& one) { return one.second == place; });
    return false;
  }

 private:
  std::string trial_;
  std::map<std::int64_t, std::pair<int, int>> running_;  // its leases, and where
};

std::string line_of(const json& event) {
  std::string text = fmt::format("{} {}", event.value("at", ""), event.value("event", "?"));
  for (const auto& [key, value] : event.items()) {
    if (key == "at" || key == "event" || value == "") continue;
    text +=
        fmt::format("  {} {}", key, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return text;
}

int run_logs(const std::vector<std::string>& words) {
  bool follow = false;
  po::options_description described("Options");
  described.add_options()("follow,f", po::bool_switch(&follow), "go on until Ctrl-C");
  const Arguments arguments(words, described, 1, 2, kLogsUsage);
  if (arguments.helped()) return 0;
  const std::string& database = arguments.positional()[0];
  const std::string path = EventLog::path_of(database);
  Concerns concerns(arguments.positional().size() < 2
                        ? ""
                        : trial_of(Store(database, Store::Mode::read), arguments.positional()[1]));
  std::ifstream file(path);
  if (!file)
    throw Error(path + ": no such file; occam run writes it beside its database; occam explain " +
                "says what the database knows");
  std::string line, partial;
  std::size_t number = 0;
  while (true) {
    while (std::getline(file, line)) {
      partial += line;
      if (file.eof()) break;  // its end is still to be written
      ++number;
      try {
        const json event = json::parse(std::exchange(partial, ""));
        if (concerns(event)) fmt::print("{}\n", line_of(event));
      } catch (const json::exception&) {
        fmt::print(stderr, "{}:{}: is no event that can be read, and left out\n", path, number);
      }
    }
    if (!follow) return 0;
    std::fflush(stdout);
    if (std::ferror(stdout) != 0) return 0;
    poll(nullptr, 0, 200);
    file.clear();
  }
}

}  // namespace

const Subcommand kLogsCommand{"logs", "what happened to a trial, also as it happens", run_logs};

}  // namespace occam
