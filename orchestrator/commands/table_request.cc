#include "orchestrator/commands/table_request.h"

#include <filesystem>

#include "experiments/error.h"
#include "experiments/number.h"
#include "orchestrator/commands/origin.h"
#include "results/combine.h"
#include "results/planned_tables.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kTableUsage = R"(occam table [DB…] [OPTIONS]

The ablation table of a sweep: mean AUROC (or --metric) over the classes within each seed, then
over seeds, ± the deviation of the per-seed means. Without --rows and --columns, the spec's table.
Several databases are one table.

Examples:
  occam table quickstart.db
  occam table occam.db --rows batch_size --columns loss,classifier -o table.md
  occam table occam.db --rows class_name --columns batch_size --where classifier=kde --mean
  occam table occam.db --baseline loss=contrastive --spread ci95 -o table.tex
  occam table occam.db --select learning_rate --on validation
  occam table occam.db --metric fpr95
  occam table occam.db --against published
  occam table occam.db --baseline loss=contrastive --seeds-until 0.5 -o more-seeds.json
  occam table --check table.tex occam.db
)";

std::vector<std::string> fields(const std::string& list) {
  return list.empty() ? std::vector<std::string>{} : split_list(list);
}

// "loss:Loss" or "loss=rotation:Rotation".
void add_label(TableSpec& spec, const std::string& text) {
  // A value may be JSON, with colons of its own.
  std::size_t colon = 0;
  for (int depth = 0; colon < text.size() && (text[colon] != ':' || depth > 0); ++colon)
    depth += text[colon] == '{' ? 1 : text[colon] == '}' ? -1 : 0;
  if (colon == text.size() || colon == 0)
    throw UsageError("--label '" + text + "' is no FIELD:TEXT or FIELD=VALUE:TEXT");
  const std::string what = text.substr(0, colon);
  const std::size_t equals = what.find('=');
  const std::string field = what.substr(0, equals);
  parse_condition(field + "=", result_fields());
  spec.labels.push_back(
      {field,
       {{equals == std::string::npos ? "" : as_held(field, what.substr(equals + 1)),
         text.substr(colon + 1)}}});
}

// What a file of this name holds; text where the ending says nothing. Throws UsageError for one
// that a table is none of.
std::string format_by_ending(const std::string& path) {
  const std::string own = std::filesystem::path(path).extension();
  for (const auto& [ending, format] :
       {std::pair{".tex", "latex"}, {".md", "md"}, {".csv", "csv"}, {".json", "json"}})
    if (own == ending) return format;
  for (const char* other : {".pdf", ".svg", ".png", ".html", ".xlsx"})
    if (own == other)
      throw UsageError("-o " + path + ": a table is written as .txt, .tex, .md, .csv or .json; " +
                       (own == ".html"   ? "occam report makes a page"
                        : own == ".xlsx" ? "spreadsheets read .csv"
                                         : "occam plot draws pictures"));
  return "text";
}

std::shared_ptr<const PublishedValues> published_values(const std::string& against) {
  if (against.empty()) return nullptr;
  // What is part of the program is not ours to free.
  if (against == "published") return {&PublishedValues::of_the_paper(), [](const auto*) {}};
  if (!std::filesystem::exists(against))
    throw UsageError("--against '" + against + "' is neither `published` nor a file");
  return std::make_shared<const PublishedValues>(
      PublishedValues::parse(read_file(against), against));
}

}  // namespace

TableRequest table_request(const std::vector<std::string>& words) {
  std::string rows, columns, format, metric, spread, claim, best, select, on, collapsed, against,
      sort, caption;
  std::vector<std::string> where, baseline, order, labels;
  bool mean = false;
  double seeds_until = 0;
  TableRequest request;
  TableOptions& options = request.options;
  po::options_description described("Options");
  auto add = described.add_options();
  add("rows", po::value(&rows), "FIELD[,FIELD]");
  add("columns", po::value(&columns), "FIELD[,FIELD]");
  add("where", po::value(&where)->composing(),
      "FIELD=VALUE[,VALUE]; may be given again; \\, is a comma of a value");
  add("table", po::value(&request.table), "a table that the spec names");
  add("sweep", po::value(&request.sweeps)->default_value("", "the last one"),
      "name of the sweep; several with commas");
  add("format", po::value(&format)->default_value("", "as -o ends, else text"),
      "text, md, latex, csv or json");
  add("metric", po::value(&metric)->default_value("", "as in the spec, else auroc"), kMetricWords);
  add("spread", po::value(&spread),
      "±: sd of the seeds' means, ci95 of them, or paper: average over classes of each one's sd");
  add("mean", po::bool_switch(&mean), "means over the classes, and over all data sets' tasks");
  add("baseline", po::value(&baseline)->composing(),
      "FIELD=VALUE of rows or columns: differences from that arm, with interval and p");
  add("claim", po::value(&claim)->default_value("seeds"),
      "of the differences: seeds (these tasks, new seeds) or tasks (new tasks)");
  add("select", po::value(&select), "FIELD[,FIELD]: hyper-parameters chosen cell by cell");
  add("on", po::value(&on), "validation (default) or test, that --select chooses by");
  add("against", po::value(&against), "published, or a file of its form");
  add("best", po::value(&best), "of each column, row, the table, or none");
  add("sort", po::value(&sort), "rows by this column's mean: LABEL[,LABEL] or mean");
  add("order", po::value(&order)->composing(), "FIELD=VALUE,…: order of a field's values");
  add("label", po::value(&labels)->composing(), "FIELD:TEXT or FIELD=VALUE:TEXT, printed in place");
  add("caption", po::value(&caption), "in place of the spec's");
  add("partial", po::bool_switch(&options.partial), "means of incomplete cells too");
  add("collapsed", po::value(&collapsed)->default_value("include"),
      "include or exclude collapsed trainings");
  add("pool", po::bool_switch(&options.pool), "let cells mix builds, data or trials; says so");
  add("orphaned", po::bool_switch(&request.orphaned), "with trials that a later spec left out");
  add("seeds-until", po::value(&seeds_until),
      "a spec with the seeds that bring the differences' intervals to ± so many points");
  add("check", po::value(&request.check),
      "do the databases, else those that it names, still give this file?");
  add("output,o", po::value(&request.output), "write to this file, with its origin");
  const Arguments arguments(words, described, 0, 64, kTableUsage);
  request.helped = arguments.helped();
  if (request.helped) return request;
  request.databases = arguments.positional();
  if (request.databases.empty() && request.check.empty())
    request.databases.emplace_back("occam.db");

  // Kept with the file, so that --check knows it without the file's name.
  const bool by_ending = format.empty();
  if (by_ending) format = format_by_ending(request.output);

  const auto said = [&](const char* name, const std::string& value) {
    if (!arguments.has(name)) return;
    request.query.push_back(std::string("--") + name);
    request.query.push_back(value);
  };
  const auto all_said = [&](const char* name, const std::vector<std::string>& values) {
    for (const std::string& value : values) said(name, value);
  };
  for (const auto& [name, value] : {std::pair<const char*, const std::string&>{"rows", rows},
                                    {"columns", columns},
                                    {"table", request.table},
                                    {"sweep", request.sweeps},
                                    {"format", format},
                                    {"metric", metric},
                                    {"spread", spread},
                                    {"claim", claim},
                                    {"select", select},
                                    {"on", on},
                                    {"against", against},
                                    {"best", best},
                                    {"sort", sort},
                                    {"caption", caption},
                                    {"collapsed", collapsed}})
    said(name, value);
  if (by_ending && format != "text")
    request.query.insert(request.query.end(), {"--format", format});
  all_said("where", where);
  all_said("baseline", baseline);
  all_said("order", order);
  all_said("label", labels);
  for (const auto& [name, is_set] : {std::pair{"--mean", mean},
                                     {"--partial", options.partial},
                                     {"--pool", options.pool},
                                     {"--orphaned", request.orphaned}})
    if (is_set) request.query.emplace_back(name);

  TableSpec& spec = options.spec;
  spec.rows = fields(rows);
  spec.columns = fields(columns);
  spec.where = parse_conditions(where, result_fields());
  spec.mean = mean;
  spec.baseline = parse_conditions(baseline, result_fields());
  spec.select = fields(select);
  spec.order = parse_conditions(order, result_fields());
  spec.sort = sort;
  spec.caption = caption;
  for (const std::string& label : labels) add_label(spec, label);
  for (const auto& [field, values] : spec.baseline)
    if (values.size() != 1)
      throw UsageError("--baseline " + field + ": the baseline is one arm, so one value");
  if (arguments.has("metric")) spec.metric = named<Metric>("--metric", metric);
  if (!spread.empty()) spec.spread = named<Spread>("--spread", spread);
  if (arguments.has("claim")) spec.claim = named<Claim>("--claim", claim);
  if (!best.empty()) spec.best = named<Best>("--best", best);
  spec.select_on = on;
  if (!on.empty() && on != "validation" && on != "test")
    throw UsageError("--on '" + on + "' is none of: validation, test");
  if (!on.empty() && select.empty())
    throw UsageError("--on " + on +
                     " says by what --select chooses, and nothing is to be chosen: --select "
                     "learning_rate, say; a table's scores are always of the test set");
  if (collapsed != "include" && collapsed != "exclude")
    throw UsageError("--collapsed '" + collapsed + "' is none of: include, exclude");
  options.exclude_collapsed = collapsed == "exclude";
  request.format = named<TableFormat>("--format", format);
  request.published = published_values(against);
  options.against = request.published.get();
  if (arguments.has("seeds-until")) {
    if (!(seeds_until > 0)) throw UsageError("--seeds-until: must be points above 0");
    request.seeds_until = seeds_until;
  }
  return request;
}

SweepResults read_sweeps(const std::vector<std::string>& databases, const std::string& sweeps,
                         bool pool, bool orphaned) {
  std::vector<SweepResults> all;
  for (const std::string& path : databases) {
    const Store store = open_results(path);
    for (const std::string& name : split_list(sweeps)) all.push_back(store.results(name, orphaned));
  }
  return combined(std::move(all), pool);
}

std::string made(const TableRequest& request, const SweepResults& sweep, std::size_t width) {
  return render(ablation(sweep, options_of(request, sweep)), request.format, width);
}

TableOptions options_of(const TableRequest& request, const SweepResults& sweep) {
  TableOptions options = request.options;
  options.name = request.table;
  const TableSpec* base = nullptr;
  std::vector<std::string> known;
  for (const auto& [title, table] : sweep.tables) {
    known.push_back(title);
    if (title == request.table) base = &table;
  }
  if (!request.table.empty() && !base)
    throw UsageError("--table '" + request.table + "' is none of: " + joined(known) +
                     did_you_mean(request.table, known));
  const bool of_spec = options.spec.rows.empty() && options.spec.columns.empty();
  if (request.table.empty() && of_spec && !sweep.tables.empty()) {
    base = &sweep.tables.front().second;
    options.name = sweep.tables.front().first;
  }
  if (base) options.spec = with_options(*base, options.spec);
  check_labels("--label", request.options.spec, sweep);
  return options;
}

}  // namespace occam
