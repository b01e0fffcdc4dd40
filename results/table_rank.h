#pragma once

#include "results/table.h"

namespace occam {

// Marks the best and the second best of each group of competing cells, by the printed precision.
// Only complete cells compete, of references and means over rows none; one alone has nothing to be
// better than, and of two the worse is no second.
void mark_best(Table& table);

// Rows fall by their mean in spec.sort, those without one last; means over rows stay behind what
// they are of. Throws UsageError for a column that there is none of.
void sort_rows(Table& table);

}  // namespace occam
