// Any bytes are an IDX file, whose numbers are all there, or an Error that names the file.
#include "images/idx.h"

#include "experiments/error.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  static const MemoryFile file;
  file.hold(text_of(data, size));
  try {
    const IdxArray array = read_idx(file.path());
    std::int64_t total = 1;
    for (const std::int64_t one : array.sizes) total *= one;
    require(static_cast<std::int64_t>(array.bytes.size()) == total, "as many bytes as it says");
  } catch (const Error& problem) {
    require(std::string_view(problem.what()).starts_with(file.path().string()),
            "an error says where");
  }
  return 0;
}
