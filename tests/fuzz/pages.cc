// Any bytes are the pages of a database: of trees with rows whose texts are UTF-8, free, or
// neither.
#include "results/page_file.h"

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  static const MemoryFile file;
  file.hold(text_of(data, size));
  const PageFile pages(file.path());
  pages.free_pages();
  std::size_t bytes = 0;
  for (std::uint32_t number = 0; number <= pages.pages() + 1; ++number) {
    const auto page = pages.tree_page(number);
    require(!page || (number > 0 && number <= pages.pages()), "a page lies in the file");
    if (!page) continue;
    for (const StoredRow& row : page->rows)
      for (const nlohmann::json& value : row.values) bytes += value.dump().size();
  }
  require(size > 0 || bytes == 0, "rows come from the file");
  return 0;
}
