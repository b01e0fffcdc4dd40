#include <iostream>

#include "experiments/spec.h"
#include "images/load.h"
#include "orchestrator/commands/command.h"

namespace occam {
namespace {

constexpr const char* kExpandUsage = R"(occam expand SPEC [--data DIR]

Prints the trials of a spec, one JSON line each: {"id", "config", "evaluations"}. Fields that have
no say in a trial are null. Nothing is run or stored.

Examples:
  occam expand spec.json | wc -l
  occam expand spec.json | head -n 1 > trial.json && occam-worker train trial.json
)";

int run_expand(const std::vector<std::string>& words) {
  namespace po = boost::program_options;
  std::string data;
  po::options_description described("Options");
  described.add_options()("data", po::value(&data)->default_value("", kDataFolders),
                          "folder of the data sets, read for celeba and your own images alone");
  const Arguments arguments(words, described, 1, 1, kExpandUsage);
  if (arguments.helped()) return 0;
  const Expansion expansion = expand_with_images(read_spec(arguments.positional().front()), data);
  std::ios::sync_with_stdio(false);
  for (const PlannedTrial& planned : expansion.trials) {
    nlohmann::json evaluations = nlohmann::json::array();
    for (const EvaluationRequest& request :
         applicable(expansion.evaluations[planned.evaluations], planned.trial))
      evaluations.push_back(to_json(request));
    nlohmann::ordered_json line{
        {"id", planned.id()}, {"config", to_json(planned.trial)}, {"evaluations", evaluations}};
    if (planned.gpus == kAutoGpus)
      line["gpus"] = "auto";
    else if (planned.gpus != 1)
      line["gpus"] = planned.gpus;
    std::cout << line.dump() << "\n";
  }
  for (const std::string& warning : expansion.warnings) std::cerr << "warning: " << warning << "\n";
  if (expansion.duplicates > 0) std::cerr << expansion.duplicates << " duplicates dropped\n";
  return 0;
}

}  // namespace

const Subcommand kExpandCommand{"expand", "print the trials of a spec", run_expand};

}  // namespace occam
