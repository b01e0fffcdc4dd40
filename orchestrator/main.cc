#include <fmt/format.h>

#include <filesystem>
#include <iostream>

#include "experiments/error.h"
#include "generated/revision.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/link/link.h"

namespace occam {
namespace {

const std::vector<Subcommand> kCommands{
    kRunCommand,   kEvaluateCommand, kPlanCommand,   kExpandCommand, kStatusCommand,
    kWatchCommand, kExplainCommand,  kLogsCommand,   kTableCommand,  kCompareCommand,
    kPaperCommand, kPlotCommand,     kReportCommand, kQueryCommand,  kExportCommand,
    kMergeCommand, kAddCommand,      kCancelCommand, kRetryCommand,  kForgetCommand,
    kGcCommand,    kRecoverCommand,  kDataCommand,   kSubmitCommand, kDoctorCommand};

void print_help() {
  fmt::print(
      "occam: ablation sweeps of one-class anomaly detection, from one spec file to the paper's "
      "table\n\n  occam COMMAND [WORDS] [OPTIONS]\n\n");
  for (const Subcommand& command : kCommands)
    fmt::print("  {:<9} {}\n", command.name, command.summary);
  fmt::print(
      "\nExamples:\n"
      "  occam run experiments/specs/quickstart.json --db quickstart.db\n"
      "  occam table quickstart.db\n"
      "  occam COMMAND --help\n");
}

int main_or_throw(const std::vector<std::string>& words) {
  const std::string name = words.empty() ? "" : words.front();
  if (name.empty() || name == "--help" || name == "-h" || name == "help") {
    print_help();
    return name.empty() ? 2 : 0;
  }
  if (name == "--version") {
    fmt::print("occam {} ({})\n", OCCAM_VERSION, OCCAM_REVISION);
    return 0;
  }
  std::vector<std::string> known;
  for (const Subcommand& command : kCommands) {
    if (command.name == name) {
      const int code = command.run({words.begin() + 1, words.end()});
      if (!std::cout.flush()) throw Error("cannot write to the standard output");
      return code;
    }
    known.emplace_back(command.name);
  }
  throw UsageError("'" + name + "' is no command" + did_you_mean(name, known) +
                   "; these are: " + joined(known));
}

}  // namespace
}  // namespace occam

int main(int count, char** words) {
  try {
    return occam::main_or_throw({words + 1, words + count});
  } catch (const occam::UsageError& problem) {
    // Every rank has the same command line, and one says what is wrong with it.
    if (occam::launched_rank() == 0) std::cerr << "occam: " << problem.what() << "\n";
    return 2;
  } catch (const std::filesystem::filesystem_error& problem) {
    // Of two paths and what was done to them the library's own words tell more.
    const bool plain = !problem.path1().empty() && problem.path2().empty();
    std::cerr << "occam: "
              << (plain ? problem.path1().string() + ": " + problem.code().message()
                        : problem.what())
              << "\n";
    return 1;
  } catch (const std::exception& problem) {
    std::cerr << "occam: " << problem.what() << "\n";
    return 1;
  }
}
