#include "images/image_set.h"

#include <xxhash.h>

#include "experiments/number.h"

namespace occam {

std::shared_ptr<const std::uint8_t> owned(std::vector<std::uint8_t> bytes) {
  const auto held = std::make_shared<const std::vector<std::uint8_t>>(std::move(bytes));
  return {held, held->data()};
}

std::string digest_of(const ImageSet& train, const ImageSet& test) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  for (const ImageSet* part : {&train, &test}) {
    XXH3_64bits_update(state, part->bytes.get(),
                       static_cast<std::size_t>(part->rows * part->row_bytes()));
    XXH3_64bits_update(state, part->labels.data(), part->labels.size() * sizeof(std::int64_t));
  }
  const std::uint64_t value = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hex(value);
}

}  // namespace occam
