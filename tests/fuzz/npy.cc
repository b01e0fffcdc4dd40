// Any bytes begin a .npy file or are an Error; a header that was read is written and read back.
#include "experiments/error.h"
#include "images/npy_header.h"
#include "images/picture.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  const std::string bytes = text_of(data, size);
  try {
    const NpyHeader header = read_npy_header(bytes);
    const NpyHeader again = read_npy_header(npy_header(header.kind, header.sizes));
    require(again.kind == header.kind && again.sizes == header.sizes, "a header comes back");
  } catch (const Error&) {
  }
  // Other formats are decoded by libraries of their own, which have their own fuzzers.
  if (!bytes.starts_with("\x93NUMPY")) return 0;
  static const MemoryFile file;
  file.hold(bytes);
  try {
    const Picture picture = decode(file.path());
    require(picture.width > 0 && picture.height > 0, "a picture has pixels");
    require(picture.rgb.size() == std::size_t{3} * static_cast<std::size_t>(picture.width) *
                                      static_cast<std::size_t>(picture.height),
            "as many as it says");
  } catch (const Error& problem) {
    require(std::string_view(problem.what()).starts_with(file.path().string()),
            "an error says where");
  }
  return 0;
}
