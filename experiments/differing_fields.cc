#include "experiments/differing_fields.h"

#include "experiments/visit_pairs.h"

namespace occam {

std::vector<std::size_t> differing_fields(const Trial& a, const Trial& b) {
  std::vector<std::size_t> places;
  std::size_t place = 0;
  visit_pairs(a, b, [&](const FieldFacts& facts, const auto& one, const auto& other) {
    if (one != other || facts.applies(a) != facts.applies(b)) places.push_back(place);
    ++place;
  });
  return places;
}

}  // namespace occam
