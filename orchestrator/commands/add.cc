#include <fmt/format.h>

#include "experiments/error.h"
#include "experiments/spec.h"
#include "images/load.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/inbox.h"
#include "results/open_database.h"
#include "results/planned_tables.h"
#include "results/store_lock.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kAddUsage = R"(occam add SPEC [OPTIONS]

Adds the trials of a spec to the sweep that is running on the database: of the same name, grown,
or of another name. Its workers take them as they come free. It only adds: a spec of the same name
that leaves out trials or scores of the sweep is refused.

Examples:
  occam add more-seeds.json --db occam.db
)";

int run_add(const std::vector<std::string>& words) {
  std::string database, data;
  po::options_description described("Options");
  described.add_options()("db", po::value(&database)->default_value("occam.db"), "database")(
      "data", po::value(&data)->default_value("", kDataFolders),
      "folder of the data sets, read for celeba and your own images alone");
  const Arguments arguments(words, described, 1, 1, kAddUsage);
  if (arguments.helped()) return 0;
  check_named(database);
  const std::string& file = arguments.positional().front();
  const Spec spec = read_spec(file);
  check_tables(spec, expand(spec, source_finder(data)));
  if (!is_written(database))
    throw Error(database + ": no sweep runs on it; occam run " + shell_word(file) + " --db " +
                shell_word(database) + " starts one");
  fmt::print("{}\n",
             ask_coordinator(database, {{"do", "add"}, {"spec", spec.text}, {"file", file}}));
  return 0;
}

}  // namespace

const Subcommand kAddCommand{"add", "more trials for a sweep that is running", run_add};

}  // namespace occam
