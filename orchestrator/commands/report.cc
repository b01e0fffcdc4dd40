#include "results/report/report.h"
#include "experiments/error.h"
#include "orchestrator/commands/command.h"
#include "orchestrator/commands/origin.h"
#include "results/figure/gnuplot.h"

namespace occam {
namespace {

namespace po = boost::program_options;

constexpr const char* kReportUsage = R"(occam report [DB] -o FILE.html [OPTIONS]

One HTML page about a sweep, which needs no network and nothing beside it: summary, the spec's
tables and figures (drawn by gnuplot where it is installed), all trials in a table that sorts, and
of each trial its configuration, scores, training curves, attempts and where its numbers come
from.

Examples:
  occam report occam.db -o report.html
  occam report occam.db --sweep batch-size -o batch-size.html
)";

int run_report(const std::vector<std::string>& words) {
  std::string sweep, output;
  po::options_description described("Options");
  described.add_options()("sweep", po::value(&sweep)->default_value("", "the last one"),
                          "name of the sweep")("output,o", po::value(&output), "the page");
  const Arguments arguments(words, described, 0, 1, kReportUsage);
  if (arguments.helped()) return 0;
  if (output.empty()) throw UsageError("needs a file for the page: -o report.html");
  const Store store =
      open_results(arguments.positional().empty() ? "occam.db" : arguments.positional().front());
  const SweepResults results = store.results(sweep);
  const Provenance origin = provenance_of(results, "report", {store.path()}, {});
  write_output(output, report(store, results, origin, [](const Figure& figure) {
                 return draw(figure, FigureFormat::svg);
               }));
  return 0;
}

}  // namespace

const Subcommand kReportCommand{"report", "one self-contained HTML page about a sweep", run_report};

}  // namespace occam
