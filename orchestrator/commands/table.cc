#include "results/table.h"

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/made_again.h"
#include "orchestrator/commands/table_request.h"
#include "orchestrator/gang_plan.h"
#include "orchestrator/terminal.h"
#include "results/result_field.h"
#include "results/seed_plan.h"

namespace occam {
namespace {

int check(const TableRequest& request) {
  const StampedFile file = read_stamped(request.check);
  const MadeAgain again = made_again(file, request.databases);
  const Provenance& origin = file.provenance;
  if (again.difference.empty()) {
    std::cerr << request.check << ": the results still give this, made " << origin.date
              << " by occam " << origin.version << " (" << origin.revision << ")\n";
    return 0;
  }
  std::cout << again.difference;
  std::cerr
      << request.check << ": the results give something else than was made " << origin.date
      << " (- the file, + now"
      << (again.same_results
              ? "; the results are the same: the file was changed, or occam prints otherwise)\n"
              : "; the results have changed)\n");
  return 1;
}

// More seeds, as a spec to run.
int plan(const TableRequest& request, const SweepResults& sweep) {
  const SeedPlan planned =
      plan_seeds(ablation(sweep, options_of(request, sweep)), sweep, *request.seeds_until / 100);
  double seconds = 0;
  std::int64_t done = 0;
  bool on_gpus = false;
  for (const std::string& path : request.databases) {
    const Store store(path, Store::Mode::read);
    for (const SweepStatus& status : store.status())
      if (status.name == sweep.name) {
        seconds += status.train_seconds + status.evaluate_seconds;
        done += status.completed + status.diverged;
      }
    on_gpus |=
        !store.texts("SELECT 1 FROM attempt WHERE " + on_gpu_sql("device") + " LIMIT 1").empty();
  }
  const double hours =
      done > 0 ? seconds / static_cast<double>(done) * static_cast<double>(planned.trials) / 3600
               : 0;
  std::cerr << fmt::format(
      "{} seeds bring every difference to ± {} points or less; there are {}, and the widest is ± "
      "{:.2f}, at {}. {} more trials, some {:.1f} {} hours, one trial at a time, at what "
      "trials took so far.\n",
      planned.seeds.size(), *request.seeds_until, planned.have, 100 * planned.widest,
      planned.widest_place, planned.trials, hours, on_gpus ? "GPU" : "CPU core");
  std::string only;
  for (const auto& [field, values] : request.options.spec.where)
    if (!is_of_request(field)) only += " --only " + shell_word(field + "=" + joined(values, ","));
  if (!only.empty())
    std::cerr << "That is all of the spec; the trials of this table alone: occam run SPEC" << only
              << "\n";
  write_output(request.output, planned.spec);
  return 0;
}

int run_table(const std::vector<std::string>& words) {
  const TableRequest request = table_request(words);
  if (request.helped) return 0;
  if (!request.check.empty()) return check(request);
  const SweepResults sweep =
      read_sweeps(request.databases, request.sweeps, request.options.pool, request.orphaned);
  if (request.seeds_until) return plan(request, sweep);
  if (request.output.empty())
    write_output("", made(request, sweep, terminal_width(STDOUT_FILENO)));
  else
    write_stamped(request.output, made(request, sweep),
                  provenance_of(sweep, "table", request.databases, request.query));
  return 0;
}

}  // namespace

const Subcommand kTableCommand{"table", "the ablation table of a sweep", run_table};

}  // namespace occam
