#include "orchestrator/commands/command.h"
#include "orchestrator/commands/row_output.h"
#include "results/row_filter.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kExportUsage = R"(occam export [DB] [OPTIONS]

A whole view of the database as one file for other programs: results (one row an evaluation, with
every field of its trial, and where its number comes from), trials or curves. AUROC is in [0, 1],
at full precision.

Examples:
  occam export occam.db -o results.csv
  occam export occam.db --format jsonl --where sweep=batch-size -o results.jsonl
  occam export occam.db --view curves -o curves.csv
)";

int run_export(const std::vector<std::string>& words) {
  std::string format, view, output;
  std::vector<std::string> where;
  po::options_description described("Options");
  described.add_options()("view", po::value(&view)->default_value("results"),
                          "results, trials or curves")(
      "where", po::value(&where)->composing(),
      "FIELD=VALUE[,VALUE] of the view; may be given again")(
      "format", po::value(&format)->default_value("csv"), "csv or jsonl")(
      "output,o", po::value(&output), "write to this file");
  const Arguments arguments(words, described, 0, 1, kExportUsage);
  if (arguments.helped()) return 0;
  const RowFormat chosen = named<RowFormat>("--format", format);
  if (chosen != RowFormat::csv && chosen != RowFormat::jsonl)
    throw UsageError("--format '" + format + "' is none of: csv, jsonl; `occam query` has more");
  const Store store =
      open_results(arguments.positional().empty() ? "occam.db" : arguments.positional().front());
  print_rows(store, select_where(store, view, parse_conditions(where)), chosen, output);
  return 0;
}

}  // namespace

const Subcommand kExportCommand{"export", "a view of the database as CSV or JSON lines",
                                run_export};

}  // namespace occam
