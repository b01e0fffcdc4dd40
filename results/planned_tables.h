#pragma once

#include "experiments/spec.h"
#include "results/store.h"

namespace occam {

// Throws UsageError, beginning with the table's place in the spec, for a table that the sweep's
// results could not fill: a cell that would mix trials, a condition that no trial meets, a label
// for what none has. Makes every table of the spec of results that are all missing still, of each
// cell's first seed alone unless a table asks for seeds, so that a large sweep is checked in a
// second.
void check_tables(const Spec& spec, const Expansion& expansion);

// Throws UsageError for a label of a value that no trial of the sweep has, after `what` it is of.
void check_labels(const std::string& what, const TableSpec& spec, const SweepResults& sweep);

}  // namespace occam
