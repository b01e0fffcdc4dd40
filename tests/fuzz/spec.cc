// Any text is a spec or an Error that says where. A spec expands or gives such an Error; written
// anew it means the same trials, and every trial keeps its id through JSON.
#include <set>

#include "experiments/error.h"
#include "experiments/json_document.h"
#include "experiments/spec.h"
#include "tests/fuzz/fuzz.h"

namespace occam {
namespace {

using nlohmann::json;

constexpr double kMostCombinations = 256;
constexpr std::size_t kMostTrials = 16;

double combinations(const Spec& spec) {
  double all = 0;
  for (const Block& block : spec.blocks) {
    double product = block.every_class ? 100 : 1;
    for (const Axis& axis : block.axes) {
      double points = 0;
      for (const AxisPoint& point : axis) points += point.every_class ? 100 : 1;
      product *= points;
    }
    all += product;
  }
  return all;
}

// As if every folder held images.
SourceImages found(const Trial& trial) {
  return {trial.source.name, "0123456789abcdef", 900, 300, 32};
}

std::set<std::string> ids(const Expansion& expansion) {
  std::set<std::string> all;
  for (const PlannedTrial& planned : expansion.trials) all.insert(id_of(planned.trial));
  return all;
}

void check_trial(const Trial& trial) {
  const Trial again = canonical(trial_from_json(json::parse(to_json(trial).dump())));
  require(identity(again) == identity(trial), "a trial keeps its identity through JSON");
  require(json::parse(identity(trial)).is_object(), "an identity is JSON");
  check(again);
  require(train_rows(trial) > 0 && budget(trial).steps >= 0, "a trial has rows and a budget");
}

void check_expansion(const Spec& spec, const std::string& rewritten) {
  const Expansion expansion = expand(spec, found);
  const std::set<std::string> all = ids(expansion);
  require(all.size() == expansion.trials.size() && !all.empty(), "no trial stands there twice");
  require(seed_ranks(expansion).size() == all.size(), "every trial has its rank");
  for (std::size_t i = 0; i < std::min(kMostTrials, expansion.trials.size()); ++i)
    check_trial(expansion.trials[i].trial);
  require(ids(expand(parse_spec(rewritten, "spec.json"), found)) == all,
          "a spec written anew means the same trials");
}

}  // namespace
}  // namespace occam

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  const std::string text = text_of(data, size);
  try {
    const json plain = parse_document(text, "spec.json").json();
    require(plain == json::parse(text, nullptr, true, true),
            "a document is the JSON it stands for");
    const Spec spec = parse_spec(text, "spec.json");
    if (combinations(spec) <= kMostCombinations) check_expansion(spec, plain.dump());
  } catch (const Error& problem) {
    require(std::string_view(problem.what()).starts_with("spec.json:"), "an error says where");
  }
  return 0;
}
