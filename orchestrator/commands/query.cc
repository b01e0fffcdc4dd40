#include <filesystem>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/commands/row_output.h"
#include "results/row_filter.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kQueryUsage = R"usage(occam query [DB] [SQL] [OPTIONS]

Rows of the database: of the view `results` (one row an evaluation), or what a SELECT gives. The
views are results, trials and curves. AUROC is in [0, 1]. Nothing can be changed.

Examples:
  occam query occam.db --where loss=rotation --where classifier=kde
  occam query occam.db --where classifier=oc-svm-rbf --where "parameters=gamma_scale=1 nu=0.1"
  occam query occam.db --view trials --where state=failed --format text
  occam query occam.db "SELECT batch_size, avg(auroc) FROM results GROUP BY batch_size" --format md
  occam query occam.db "SELECT name, type FROM pragma_table_info('results')" --format text
)usage";

int run_query(const std::vector<std::string>& words) {
  std::string format, view, output;
  std::vector<std::string> where;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(),
                          "FIELD=VALUE[,VALUE] of the view; may be given again")(
      "view", po::value(&view)->default_value("results"), "results, trials or curves")(
      "format", po::value(&format)->default_value("csv"), "csv, jsonl, json, md or text")(
      "output,o", po::value(&output), "write to this file");
  const Arguments arguments(words, described, 0, 2, kQueryUsage);
  if (arguments.helped()) return 0;
  const auto& positional = arguments.positional();
  const RowFormat chosen = named<RowFormat>("--format", format);
  if (positional.size() == 1 && positional.front().find(' ') != std::string::npos &&
      !std::filesystem::exists(positional.front()))
    throw UsageError("'" + positional.front() +
                     "' is no file; the database comes first: occam query occam.db '" +
                     positional.front() + "'");
  const Store store = open_results(positional.empty() ? "occam.db" : positional.front());
  if (positional.size() < 2) {
    print_rows(store, select_where(store, view, parse_conditions(where)), chosen, output);
    return 0;
  }
  if (!where.empty() || arguments.has("view"))
    throw UsageError(
        "--where and --view choose rows of a view; with SQL, say it there: SELECT … FROM " + view +
        " WHERE …");
  print_rows(store, positional[1], chosen, output);
  return 0;
}

}  // namespace

const Subcommand kQueryCommand{"query", "rows of the database, by filter or SQL", run_query};

}  // namespace occam
