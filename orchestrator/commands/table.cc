#include "results/table.h"

#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/table_request.h"

namespace occam {
namespace {

// The text that a request makes of the databases now.
std::string made(const TableRequest& request, const SweepResults& sweep) {
  return render(ablation(sweep, options_of(request, sweep)), request.format);
}

int check(const TableRequest& request) {
  const StampedFile file = read_stamped(request.check);
  TableRequest again = table_request(file.provenance.query);
  again.databases = request.databases;
  const SweepResults sweep = read_sweeps(again.databases, again.sweeps, again.options.pool);
  const std::string difference = difference_of(file.text, made(again, sweep));
  if (difference.empty()) {
    std::cerr << request.check << ": the results still give this table, made "
              << file.provenance.date << " by occam " << file.provenance.version << " ("
              << file.provenance.revision << ")\n";
    return 0;
  }
  std::cout << difference;
  std::cerr << request.check << ": the results give another table than the one made "
            << file.provenance.date << " (- the file, + now"
            << (digest_of(sweep) == file.provenance.results
                    ? "; the results are the same, so occam prints them differently)\n"
                    : "; the results have changed)\n");
  return 1;
}

int run(const std::vector<std::string>& words) {
  const TableRequest request = table_request(words);
  if (request.helped) return 0;
  if (!request.check.empty()) return check(request);
  const SweepResults sweep = read_sweeps(request.databases, request.sweeps, request.options.pool);
  const std::string text = made(request, sweep);
  if (request.output.empty())
    write_output("", text);
  else
    write_stamped(request.output, text, provenance_of(sweep, request.databases, request.query));
  return 0;
}

}  // namespace

const Subcommand kTableCommand{"table", "the ablation table of a sweep", run};

}  // namespace occam
