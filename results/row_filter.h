#pragma once

#include <string>
#include <utility>
#include <vector>

#include "results/store.h"

namespace occam {

// The documented views: results, trials, curves.
const std::vector<std::string>& documented_views();

// The names of a documented view's columns. Throws UsageError for another view.
std::vector<std::string> columns_of(const Store& store, const std::string& view);

// The SELECT that gives the rows of a documented view in which every field has one of its values:
// numbers however they are spelled, texts as they are, "–" where the field does not apply; a class
// also by its name. In an order that depends on the rows alone. Throws UsageError with "did you
// mean" for an unknown field, and for a value that no trial of the database has.
std::string select_where(
    const Store& store, const std::string& view,
    const std::vector<std::pair<std::string, std::vector<std::string>>>& where);

}  // namespace occam
