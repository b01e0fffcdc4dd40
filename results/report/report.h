#pragma once

#include <functional>
#include <string>

#include "results/figure/figure.h"
#include "results/store.h"

namespace occam {

// Where and when a page is made; printed at its foot.
struct ReportOrigin {
  std::string version, revision;  // of occam
  std::string date;               // ISO 8601, UTC
};

// Gives a figure's SVG; an Error that it throws stands on the page in the figure's place.
using Drawer = std::function<std::string(const Figure&)>;

// One HTML page about a sweep (the last one for ""), which needs nothing beside it, no network
// either: how far it is, its tables, figures, all trials in a table that sorts, and a page of each
// trial with its configuration, scores, curves, attempts and where its numbers come from. Without
// scripts everything but the pages of trials can be read.
std::string report(const Store& store, const std::string& sweep, const ReportOrigin& origin,
                   const Drawer& drawer);

}  // namespace occam
