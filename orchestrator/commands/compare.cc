#include "orchestrator/commands/command.h"
#include "orchestrator/commands/compare_request.h"
#include "orchestrator/commands/origin.h"
#include "orchestrator/commands/table_request.h"

namespace occam {
namespace {

int run_compare(const std::vector<std::string>& words) {
  const CompareRequest request = compare_request(words);
  if (request.helped) return 0;
  const SweepResults results = read_sweeps({request.database}, request.sweep, request.options.pool);
  const std::string text = said(request, results);
  if (request.output.empty())
    write_output("", text);
  else
    write_stamped(request.output, text,
                  provenance_of(results, "compare", {request.database}, request.query));
  return 0;
}

}  // namespace

const Subcommand kCompareCommand{"compare", "the sentence for the paper: one arm against others",
                                 run_compare};

}  // namespace occam
