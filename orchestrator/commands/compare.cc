#include <sstream>

#include "experiments/error.h"
#include "orchestrator/commands/origin.h"
#include "orchestrator/commands/table_request.h"
#include "results/arms.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage = R"(occam compare DB A B [C…] [OPTIONS]

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

// "loss=rotation batch_size=64": a word with = begins a condition, others belong to the one before.
Arm parse_arm(const std::string& text) {
  Arm arm{text, {}};
  std::vector<std::string> conditions;
  std::stringstream words(text);
  for (std::string word; words >> word;)
    if (word.find('=') != std::string::npos || conditions.empty())
      conditions.push_back(word);
    else
      conditions.back() += " " + word;
  if (conditions.empty()) throw UsageError("an arm is empty; it is FIELD=VALUE");
  for (const std::string& condition : conditions)
    arm.where.push_back(parse_condition(condition, result_fields()));
  return arm;
}

int run(const std::vector<std::string>& words) {
  std::string sweep, format, output;
  std::vector<std::string> where;
  ArmsOptions options;
  po::options_description described("Options");
  described.add_options()("where", po::value(&where)->composing(),
                          "FIELD=VALUE[,VALUE] of all arms; may be given again")(
      "sweep", po::value(&sweep)->default_value("", "the last one"),
      "name of the sweep; several with commas")("format", po::value(&format)->default_value("text"),
                                                "text or json")(
      "mean", po::bool_switch(&options.mean), "over the tasks of all data sets")(
      "pool", po::bool_switch(&options.pool), "let arms mix builds, data or trials; says so")(
      "output,o", po::value(&output), "write to this file, with its origin beside it");
  const Arguments arguments(words, described, 3, 32, kUsage);
  if (arguments.helped()) return 0;
  if (format != "text" && format != "json")
    throw UsageError("--format '" + format + "' is none of: text, json");
  for (const std::string& condition : where)
    options.where.push_back(parse_condition(condition, result_fields()));
  const auto& positional = arguments.positional();
  std::vector<Arm> arms;
  for (std::size_t i = 1; i < positional.size(); ++i) arms.push_back(parse_arm(positional[i]));
  const SweepResults results = read_sweeps({positional.front()}, sweep, options.pool);
  const ArmsComparison comparison = compare_arms(results, arms, options);
  const std::string text = format == "json" ? to_json_text(comparison) : sentences(comparison);
  if (output.empty())
    write_output("", text);
  else
    write_stamped(output, text, provenance_of(results, "compare", {positional.front()}, words));
  return 0;
}

}  // namespace

const Subcommand kCompareCommand{"compare", "the sentence for the paper: one arm against others",
                                 run};

}  // namespace occam
