#pragma once

#include <string>
#include <vector>

#include "orchestrator/commands/command.h"
#include "results/figure/figure.h"

namespace occam {

// What one `occam plot` draws.
struct PlotRequest {
  std::string database, sweep, name;  // DB, --sweep and --figure
  FigureOptions options;              // of the command line; a spec's figure comes under them
  std::string output;
  // The words that draw the same picture again: without database and output.
  std::vector<std::string> query;
  bool bare = false;
  bool helped = false;
};

// Throws UsageError for what is no option, field or value.
PlotRequest plot_request(const std::vector<std::string>& words);

// The picture that the store gives now. Throws UsageError for a figure that the spec does not name.
Figure picture_of(const PlotRequest& request, const Store& store, const SweepResults& sweep);

// 16 hex digits over what the picture shows and how it is drawn, whatever draws it and in which
// format.
std::string drawing_of(Figure picture);

}  // namespace occam
