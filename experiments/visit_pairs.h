#pragma once

#include <array>
#include <type_traits>

#include "experiments/trial.h"

namespace occam {

// Calls visit(facts, member of a, member of b) for every field.
template <class TrialA, class Visitor>
void visit_pairs(TrialA& a, const Trial& b, Visitor&& visit) {
  std::array<const void*, 64> members{};
  std::size_t count = 0;
  visit_fields(b, [&](const FieldFacts&, const auto& member) { members[count++] = &member; });
  count = 0;
  visit_fields(a, [&](const FieldFacts& facts, auto& member) {
    using Member = std::remove_cvref_t<decltype(member)>;
    visit(facts, member, *static_cast<const Member*>(members[count++]));
  });
}

}  // namespace occam
