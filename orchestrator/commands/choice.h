#pragma once

#include <string>
#include <vector>

#include "results/store.h"

namespace occam {

// The trial whose id begins so. Throws UsageError when none does, or several.
std::string trial_of(const Store& store, const std::string& text);

// Ids of the trials of the view `trials` that the conditions FIELD=VALUE[,VALUE] and the SQL
// condition `such` accept; all such where no condition is given. In the order of their sweeps.
std::vector<std::string> trials_where(const Store& store, const std::vector<std::string>& where,
                                      const std::string& such);

}  // namespace occam
