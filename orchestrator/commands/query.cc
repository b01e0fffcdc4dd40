#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "results/sql_text.h"
#include "results/store.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage = R"(occam query [DB] [SQL] [OPTIONS]

Rows of the database: of the view `results` (one row an evaluation), or what a SELECT gives. The views are
results, trials and curves.

Examples:
  occam query occam.db --where loss=rotation --where classifier=kde
  occam query occam.db "SELECT batch_size, avg(auroc) FROM results GROUP BY batch_size" --format csv
)";

std::string csv_cell(const std::optional<std::string>& value) {
  if (!value) return "";
  if (value->find_first_of(",\"\n") == std::string::npos) return *value;
  std::string quoted = "\"";
  for (char c : *value) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void print(const Store::Rows& rows, const std::string& format) {
  if (format == "jsonl") {
    for (const auto& row : rows.values) {
      nlohmann::ordered_json line;
      for (std::size_t i = 0; i < row.size(); ++i)
        line[rows.columns[i]] = row[i] ? nlohmann::ordered_json(*row[i]) : nlohmann::ordered_json();
      std::cout << line.dump() << "\n";
    }
    return;
  }
  std::cout << joined(rows.columns, ",") << "\n";
  for (const auto& row : rows.values) {
    std::vector<std::string> cells;
    for (const auto& value : row) cells.push_back(csv_cell(value));
    for (std::size_t i = 0; i < cells.size(); ++i) std::cout << (i > 0 ? "," : "") << cells[i];
    std::cout << "\n";
  }
}

void say_what_there_is(const Store& store, const std::vector<std::string>& fields) {
  constexpr std::size_t kMost = 20;
  std::cerr << "no row matches\n";
  for (const std::string& field : fields) {
    const auto known = store.query("SELECT DISTINCT \"" + field + "\" FROM results WHERE \"" +
                                   field + "\" IS NOT NULL ORDER BY 1");
    std::vector<std::string> values;
    for (const auto& row : known.values)
      if (values.size() < kMost) values.push_back(row.front().value_or(""));
    if (known.values.size() > kMost) values.emplace_back("…");
    std::cerr << "  " << field << " is: " << (values.empty() ? "nowhere set" : joined(values))
              << "\n";
  }
}

int run(const std::vector<std::string>& words) {
  std::string format;
  std::vector<std::string> where;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(),
                          "FIELD=VALUE[,VALUE] of the view results; may be given again")(
      "format", po::value(&format)->default_value("csv"), "csv or jsonl");
  const Arguments arguments(words, described, 0, 2, kUsage);
  if (arguments.helped()) return 0;
  if (format != "csv" && format != "jsonl")
    throw UsageError("--format '" + format + "' is none of: csv, jsonl");
  const auto& positional = arguments.positional();
  const Store store(positional.empty() ? "occam.db" : positional.front(), Store::Mode::read);
  std::string sql = "SELECT * FROM results";
  if (positional.size() == 2) {
    if (!where.empty()) throw UsageError("--where filters the view results; put it into the SQL");
    sql = positional[1];
  }
  std::vector<std::string> fields;  // of --where
  for (std::size_t i = 0; i < where.size(); ++i) {
    const auto [field, values] =
        parse_condition(where[i], store.query("SELECT * FROM results LIMIT 0").columns);
    sql += (i == 0 ? " WHERE " : " AND ") + sql_condition(field, values);
    fields.push_back(field);
  }
  const Store::Rows rows = store.query(sql);
  print(rows, format);
  if (rows.values.empty() && !where.empty()) say_what_there_is(store, fields);
  return 0;
}

}  // namespace

const Subcommand kQueryCommand{"query", "rows of the database, by filter or SQL", run};

}  // namespace occam
