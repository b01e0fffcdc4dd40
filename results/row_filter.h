#pragma once

#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// The documented views: results, trials, curves.
const std::vector<std::string>& documented_views();

// The names of a documented view's columns. Throws UsageError for another view.
std::vector<std::string> columns_of(const Store& store, const std::string& view);

// The SQL condition by which every field of a documented view has one of its values: numbers
// however they are spelled, texts as they are, "–" where the field does not apply; a class also by
// its name, parameters also as tables print them. True without any. Throws UsageError with "did you
// mean" for an unknown field, and for a value that no trial of the database has and that is no
// state.
std::string condition_of(const Store& store, const std::string& view, const FieldValues& where);

// The SELECT that gives those rows, in an order that depends on the rows alone.
std::string select_where(const Store& store, const std::string& view, const FieldValues& where);

}  // namespace occam
