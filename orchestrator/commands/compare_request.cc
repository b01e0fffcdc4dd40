#include "orchestrator/commands/compare_request.h"

#include <sstream>

#include "experiments/error.h"
#include "orchestrator/commands/command.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kCompareUsage = R"(occam compare DB A B [C…] [OPTIONS]

The sentences for the paper: A against each of the others, with difference, 95 % interval, test,
its unit, p (after Holm where there are several) and n. An arm is FIELD=VALUE, or several in
quotes. Both claims are made: these tasks, new seeds (paired t over seeds); new tasks (exact
Wilcoxon over classes).

Examples:
  occam compare occam.db loss=rotation loss=contrastive --where classifier=kde --where batch_size=64
  occam compare occam.db "loss=contrastive distribution_augmentation=rotation" \
                         "loss=contrastive distribution_augmentation=none" --where classifier=kde
  occam compare occam.db variant=baseline "variant=no jitter" --where classifier=kde
)";

// "loss=rotation batch_size=64": a word with = begins a condition, others belong to the one before,
// as do the later of several parameters.
Arm parse_arm(const std::string& text) {
  std::vector<std::string> conditions;
  std::stringstream words(text);
  for (std::string word; words >> word;)
    if (conditions.empty() || (word.find('=') != std::string::npos &&
                               (contains(result_fields(), word.substr(0, word.find('='))) ||
                                !conditions.back().starts_with("parameters="))))
      conditions.push_back(word);
    else
      conditions.back() += " " + word;
  if (conditions.empty()) throw UsageError("an arm is empty; it is FIELD=VALUE");
  return {text, parse_conditions(conditions, result_fields())};
}

}  // namespace

CompareRequest compare_request(const std::vector<std::string>& words) {
  std::string format, metric;
  std::vector<std::string> where;
  CompareRequest request;
  ArmsOptions& options = request.options;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(),
                          "FIELD=VALUE[,VALUE] of all arms; may be given again")(
      "sweep", po::value(&request.sweep)->default_value("", "the last one"),
      "name of the sweep; several with commas")("format", po::value(&format)->default_value("text"),
                                                "text or json")(
      "metric", po::value(&metric)->default_value("auroc"), kMetricWords)(
      "mean", po::bool_switch(&options.mean), "over the tasks of all data sets")(
      "pool", po::bool_switch(&options.pool), "let arms mix builds, data or trials; says so")(
      "output,o", po::value(&request.output), "write to this file, with its origin beside it");
  const Arguments arguments(words, described, 3, 32, kCompareUsage);
  request.helped = arguments.helped();
  if (request.helped) return request;
  if (format != "text" && format != "json")
    throw UsageError("--format '" + format + "' is none of: text, json");
  options.metric = named<Metric>("--metric", metric);
  request.json = format == "json";
  options.where = parse_conditions(where, result_fields());
  const auto& positional = arguments.positional();
  request.database = positional.front();
  request.query.assign(positional.begin() + 1, positional.end());
  for (const std::string& arm : request.query) request.arms.push_back(parse_arm(arm));

  for (const std::string& condition : where)
    request.query.insert(request.query.end(), {"--where", condition});
  if (!request.sweep.empty()) request.query.insert(request.query.end(), {"--sweep", request.sweep});
  if (request.json) request.query.insert(request.query.end(), {"--format", format});
  if (arguments.has("metric")) request.query.insert(request.query.end(), {"--metric", metric});
  if (options.mean) request.query.emplace_back("--mean");
  if (options.pool) request.query.emplace_back("--pool");
  return request;
}

std::string said(const CompareRequest& request, const SweepResults& results) {
  const ArmsComparison comparison = compare_arms(results, request.arms, request.options);
  return request.json ? to_json_text(comparison) : sentences(comparison);
}

}  // namespace occam
