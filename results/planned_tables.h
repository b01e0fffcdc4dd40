#pragma once

#include "experiments/spec.h"

namespace occam {

// Throws UsageError, beginning with the table's place in the spec, for a table that the sweep's
// results could not fill: a cell that would mix trials, a condition that no trial meets. Makes
// every table of the spec of results that are all missing still, of each cell's first seed alone
// unless a table asks for seeds, so that a large sweep is checked in a second.
void check_tables(const Spec& spec, const Expansion& expansion);

}  // namespace occam
