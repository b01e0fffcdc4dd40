// The store at scale: 200,000 trials, 30,000 of them or as many as told finished, and curves.
//
// Usage: bench_store [FINISHED [DB]]; DB, which must not exist, stays for other programs.
#include <fmt/format.h>
#include <stdlib.h>  // mkdtemp

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "results/table.h"

namespace {

using namespace occam;

double seconds_since(std::chrono::steady_clock::time_point began) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

template <class Step>
void timed(const std::string& what, Step&& step) {
  const auto began = std::chrono::steady_clock::now();
  step();
  fmt::print("{}: {:.3f} s\n", what, seconds_since(began));
}

constexpr int kTrials = 200'000, kRows = 500'000;

const char* const kSpec = R"({
  "name": "large", "trial": {"dataset": "fashion-mnist", "epochs": 20},
  "grid": {"class": "all", "seed": [1, 2, 3, 4, 5], "batch_size": [16, 32, 64, 128, 256],
           "temperature": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
           "learning_rate": [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.1],
           "weight_decay": [1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4, 9e-4, 1e-3]},
  "evaluate": {"classifiers": ["kde"]}
})";

}  // namespace

int main(int argc, char** argv) {
  const int finished = argc > 1 ? std::atoi(argv[1]) : 30'000;
  std::string pattern = (std::filesystem::temp_directory_path() / "occam-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const std::string path = argc > 2 ? argv[2] : folder / "occam.db";
  const Spec spec = parse_spec(kSpec, "large.json");
  const Expansion expansion = expand(spec);
  if (expansion.trials.size() != kTrials) return 1;
  {
    Store store(path, Store::Mode::write);
    timed("record a sweep of 200,000 trials", [&] { store.record_sweep(spec, expansion); });
    timed("record it again, unchanged", [&] { store.record_sweep(spec, expansion); });
    timed(fmt::format("begin and end {} trials, in groups of 100", finished), [&] {
      const EvaluationRequest kde = expansion.evaluations.front().front();
      for (int i = 0; i < finished; ++i) {
        if (i % 100 == 0) store.begin_group();
        const std::string id = id_of(expansion.trials[static_cast<std::size_t>(i)].trial);
        const std::int64_t lease = i + 1;
        store.begin_attempt(id, lease, {"node", "gpu", "build", "torch", true});
        store.record_outcome({id,
                              lease,
                              OutcomeStatus::completed,
                              "",
                              {{kde, 0.9, 0.9, 0.1, 9000, 1000, 1}},
                              60,
                              2,
                              100,
                              "data"});
        if (i % 100 == 99) store.commit_group();
      }
    });
    store.begin_attempt(id_of(expansion.trials.back().trial), finished + 1, {});
    timed("500,000 rows of curves, in batches of 1,000", [&] {
      std::vector<Progress> rows;
      for (int i = 0; i < kRows; ++i) {
        rows.push_back({"", finished + 1, i, kRows, 0.5, 0.5, 0.01, 4000});
        if (rows.size() == 1000) store.record_progress(std::exchange(rows, {}));
      }
    });
    store.close();
  }
  timed("open to write", [&] { Store(path, Store::Mode::write); });
  timed("open to read, and status", [&] { Store(path, Store::Mode::read).status(); });
  timed("histories", [&] { Store(path, Store::Mode::read).histories(expansion, spec.name); });
  SweepResults results;
  timed("results of 200,000 trials", [&] { results = Store(path, Store::Mode::read).results(); });
  results.missing.clear();
  timed(fmt::format("table of {} scores", finished), [&] {
    TableOptions options;
    options.spec.rows = {"batch_size", "temperature"};
    options.spec.columns = {"learning_rate", "weight_decay"};
    ablation(results, options);
  });
  std::filesystem::remove_all(folder);
}
