#pragma once

#include <functional>
#include <string>

#include "results/figure/figure.h"
#include "results/provenance.h"
#include "results/store.h"

namespace occam {

// Gives a figure's SVG; an Error that it throws stands on the page in the figure's place.
using Drawer = std::function<std::string(const Figure&)>;

// One HTML page about a sweep, which needs nothing beside it, no network
// either: how far it is, its tables, figures, all trials in a table that sorts, and a page of each
// trial with its configuration, scores, curves, attempts and where its numbers come from. Without
// scripts everything but the pages of trials can be read. The origin is printed at its foot.
std::string report(const Store& store, const SweepResults& results, const Provenance& origin,
                   const Drawer& drawer);

}  // namespace occam
