#include <iostream>

#include "experiments/error.h"
#include "orchestrator/commands/origin.h"
#include "orchestrator/commands/plot_request.h"
#include "results/figure/gnuplot.h"

namespace occam {
namespace {

int run_plot(const std::vector<std::string>& words) {
  const PlotRequest request = plot_request(words);
  if (request.helped) return 0;
  if (request.output.empty()) throw UsageError("needs a file for the picture: -o picture.svg");
  const FigureFormat format = format_of(request.output);
  const Store store = open_results(request.database);
  const SweepResults sweep = store.results(request.sweep);
  const Figure picture = picture_of(request, store, sweep);
  Provenance origin = provenance_of(sweep, "plot", {request.database}, request.query);
  origin.drawing = drawing_of(picture);
  write_stamped(request.output, draw(picture, format), origin);
  for (const std::string& note : picture.notes) std::cerr << note << "\n";
  return 0;
}

}  // namespace

const Subcommand kPlotCommand{"plot", "a picture of a sweep: lines, bars, heat map, curves",
                              run_plot};

}  // namespace occam
