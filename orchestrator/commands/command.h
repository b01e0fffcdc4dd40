#pragma once

#include <boost/program_options.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/error.h"
#include "experiments/names.h"
#include "experiments/spec.h"
#include "experiments/table_spec.h"
#include "experiments/trial.h"
#include "results/store.h"

namespace occam {

// A subcommand of occam, one file each.
struct Subcommand {
  const char* name;
  const char* summary;  // one line, for occam --help
  int (*run)(const std::vector<std::string>& words);
};
extern const Subcommand kRunCommand, kExpandCommand, kPlanCommand, kStatusCommand, kTableCommand,
    kEvaluateCommand, kDataCommand, kQueryCommand, kExportCommand, kMergeCommand, kPlotCommand,
    kReportCommand, kCompareCommand, kPaperCommand, kRetryCommand, kForgetCommand, kCancelCommand,
    kAddCommand, kGcCommand, kLogsCommand, kExplainCommand, kWatchCommand, kSubmitCommand,
    kDoctorCommand, kRecoverCommand;

// A command line of options and positional words. Throws UsageError for anything unknown, and for a
// number of positional words outside [least, most].
class Arguments {
 public:
  Arguments(const std::vector<std::string>& words,
            const boost::program_options::options_description& options, std::size_t least,
            std::size_t most, const std::string& usage);
  // True after printing the help to stdout.
  bool helped() const { return helped_; }
  const std::vector<std::string>& positional() const { return positional_; }
  bool has(const char* option) const {
    return given_.count(option) > 0 && !given_[option].defaulted();
  }

 private:
  boost::program_options::variables_map given_;
  std::vector<std::string> positional_;
  bool helped_ = false;
};

// The words of --where where it chooses trials, of all sweeps of a file.
inline constexpr const char* kTrialsHelp =
    "FIELD=VALUE[,VALUE] of the view trials, such as sweep=NAME; may be given again";

// "batch_size=16,32" as a field and its values. Throws UsageError; with `fields` also for a field
// that is none of them.
std::pair<std::string, std::vector<std::string>> parse_condition(const std::string& text);
std::pair<std::string, std::vector<std::string>> parse_condition(
    const std::string& text, const std::vector<std::string>& fields);
FieldValues parse_conditions(const std::vector<std::string>& texts);
FieldValues parse_conditions(const std::vector<std::string>& texts,
                             const std::vector<std::string>& fields);
// "a,b" as a and b; no comma parts in braces (parameters are JSON) or behind a backslash.
std::vector<std::string> split_list(const std::string& text);
// Without empty ones.
std::vector<std::string> split_lines(const std::string& text);

// The enumerator that an option names. Throws UsageError naming the option.
template <class Enum>
Enum named(const char* option, const std::string& name) {
  try {
    return from_name<Enum>(name);
  } catch (const UsageError& problem) {
    throw UsageError(std::string(option) + " " + problem.what());
  }
}

// Whether a trial has one of the values of every --only condition. Throws UsageError where a
// condition is none, or no trial of the sweep is such.
std::function<bool(const PlannedTrial&)> asked_for(const std::vector<std::string>& only,
                                                   const Spec& spec, const Expansion& expansion);

// The default of --data, as --help has it.
constexpr const char* kDataFolders =
    "$OCCAM_DATA, ~/.local/share/occam, or Debian's /usr/share/datasets";

// For reading results; says on stderr what waits beside the database and is not among them.
Store open_results(const std::string& database);

// Writes to the file, or to stdout for "". Throws Error naming the file.
void write_output(const std::string& path, const std::string& text);

}  // namespace occam
