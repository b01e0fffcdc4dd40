// A store of 30,000 evaluations becomes a table: how long reading and averaging take.
//
// bench_table [ROWS COLUMNS]
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "results/store.h"
#include "results/table.h"

namespace {

// 5 batch sizes x 5 losses and augmentations x 10 classes x 10 seeds, twelve scores each.
constexpr const char* kSpec = R"({
  "name": "many", "trial": {"dataset": "fashion-mnist", "epochs": 20},
  "grid": {"class": "all", "seed": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "batch_size": [16, 32, 64, 128, 256],
           "distribution_augmentation": ["none", "rotation", "hflip", "vflip", 3]},
  "evaluate": {"features": ["pool", "embed"],
               "classifiers": ["kde", "gde", "nearest", "oc-svm-linear", {"name": "oc-svm-rbf", "nu": [0.1, 0.5]}]}
})";

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

void fill(const std::string& path) {
  using namespace occam;
  const Spec spec = parse_spec(kSpec, "many.json");
  const Expansion expansion = expand(spec);
  Store store(path, Store::Mode::write);
  store.record_sweep(spec, expansion);
  double auroc = 0.5;
  for (const PlannedTrial& planned : expansion.trials) {
    const std::string id = id_of(planned.trial);
    Outcome outcome;
    outcome.trial = id;
    outcome.lease = store.next_lease();
    outcome.status = OutcomeStatus::completed;
    outcome.data = "data";
    for (const EvaluationRequest& request : applicable(expansion.evaluations[0], planned.trial)) {
      auroc = auroc > 0.99 ? 0.5 : auroc + 0.000123;
      outcome.evaluations.push_back({request, auroc, 0.5, 0.5, 9000, 1000, 0.1});
    }
    store.begin_attempt(id, outcome.lease, {"host", "cpu", "build", "libraries", true});
    store.record_outcome(outcome);
  }
}

}  // namespace

int main(int count, char** words) {
  using namespace occam;
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "occam-bench-table";
  std::filesystem::create_directories(folder);
  const std::string path = folder / "many.db";
  if (!std::filesystem::exists(path)) fill(path);
  TableOptions options;
  options.spec.rows = {count > 1 ? words[1] : "batch_size"};
  options.spec.columns = {"distribution_augmentation", "features", "classifier", "parameters"};
  if (count > 2) options.spec.columns = {words[2]};
  options.spec.baseline = {{"distribution_augmentation", {"none"}}};

  auto began = std::chrono::steady_clock::now();
  const SweepResults results = Store(path, Store::Mode::read).results();
  const double reading = seconds_since(began);
  began = std::chrono::steady_clock::now();
  const Table table = ablation(results, options);
  const double averaging = seconds_since(began);
  began = std::chrono::steady_clock::now();
  const std::size_t bytes = render(table, TableFormat::text).size();
  fmt::print(
      "{} evaluations: read in {:.3f} s, table of {} x {} in {:.3f} s, {} bytes in {:.3f} s\n",
      results.results.size(), reading, table.rows.size(), table.columns.size(), averaging, bytes,
      seconds_since(began));
  return reading + averaging < 1 ? 0 : 1;
}
