#pragma once

#include <string>
#include <vector>

#include "results/table.h"

namespace occam {

inline constexpr const char* kOneSeed = "one seed: no deviation between seeds can be had";

// One sentence on what a cell's number and its ± are.
std::string what_numbers_are(Metric metric, Spread spread, bool span);

// Each adds to table.notes what a reader must know and cannot see in the cells.
void note_budget(Table& table, const TableEntries& entries);  // what was held fixed
void note_subsets(Table& table, const TableEntries& entries);
void note_unequal_seeds(Table& table);
// Incomplete, diverged, failed, collapsed, per arm.
void note_gaps(Table& table, const TableEntries& entries, bool partial);
void note_comparisons(Table& table);
void note_published(Table& table);
void note_choices(Table& table);

// "batch_size=64, loss=rotation": where a cell stands.
std::string place_of(const Labels& fields, const Labels& labels);

}  // namespace occam
