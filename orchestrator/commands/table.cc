#include "results/table.h"

#include <iostream>

#include "experiments/error.h"
#include "experiments/spec.h"
#include "orchestrator/commands/command.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage = R"(occam table [DB] [OPTIONS]

The ablation table of a sweep: mean AUROC over the classes within each seed, then over seeds, ± the
deviation of the per-seed means. Without --rows and --columns, the spec's table.

Examples:
  occam table quickstart.db
  occam table occam.db --rows batch_size --columns loss,classifier --format md -o table.md
  occam table occam.db --rows class_name --columns batch_size --where loss=contrastive --where classifier=kde
)";

int run(const std::vector<std::string>& words) {
  std::string rows, columns, sweep, name, format, output;
  std::vector<std::string> where;
  bool orphaned = false;
  TableOptions options;
  po::options_description described("Options");
  described.add_options()("rows", po::value(&rows), "FIELD[,FIELD]")(
      "columns", po::value(&columns), "FIELD[,FIELD]")("where", po::value(&where)->composing(),
                                                       "FIELD=VALUE[,VALUE]; may be given again")(
      "table", po::value(&name), "a table that the spec names")(
      "sweep", po::value(&sweep)->default_value("", "the last one"), "name of the sweep")(
      "format", po::value(&format)->default_value("text"), "text, md, csv or json")(
      "partial", po::bool_switch(&options.partial), "means of incomplete cells too")(
      "pool", po::bool_switch(&options.pool), "let cells mix builds or data")(
      "orphaned", po::bool_switch(&orphaned), "with trials that a later spec left out")(
      "output,o", po::value(&output), "write to this file");
  const Arguments arguments(words, described, 0, 1, kUsage);
  if (arguments.helped()) return 0;
  const TableFormat chosen = from_name<TableFormat>(format);
  const Store store(arguments.positional().empty() ? "occam.db" : arguments.positional().front(),
                    Store::Mode::read);
  const SweepResults results = store.results(sweep, orphaned);
  std::vector<std::string> known;
  for (const auto& [title, table] : results.tables) {
    known.push_back(title);
    if (title == name) options.spec = table;
  }
  if (!name.empty() && std::find(known.begin(), known.end(), name) == known.end())
    throw UsageError("--table '" + name + "' is none of: " + joined(known) +
                     did_you_mean(name, known));
  if (name.empty() && rows.empty() && columns.empty() && !results.tables.empty())
    options.spec = results.tables.front().second;
  const auto fields = [](const std::string& list) {
    return list.empty() ? std::vector<std::string>{} : split_list(list);
  };
  if (!rows.empty()) options.spec.rows = fields(rows);
  if (!columns.empty()) options.spec.columns = fields(columns);
  for (const std::string& condition : where)
    options.spec.where.push_back(parse_condition(condition, result_fields()));
  write_output(output, render(ablation(results, options), chosen));
  return 0;
}

}  // namespace

const Subcommand kTableCommand{"table", "the ablation table of a sweep", run};

}  // namespace occam
