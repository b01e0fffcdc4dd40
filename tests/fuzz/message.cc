// Any line is a message or an Error; a message that was read is written and read back as it is.
#include "experiments/message.h"

#include "experiments/error.h"
#include "tests/fuzz/fuzz.h"

namespace occam {
namespace {

template <class Read>
void there_and_back(const std::string& line, Read read) {
  std::string written;
  try {
    written = to_line(read(line));
  } catch (const Error&) {
    return;
  }
  require(written.find('\n') == std::string::npos, "a message is one line");
  require(to_line(read(written)) == written, "a message comes back as it was");
}

}  // namespace
}  // namespace occam

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  const std::string line = text_of(data, size);
  there_and_back(line, read_down);
  there_and_back(line, read_up);
  there_and_back(line, read_addressed_down);
  there_and_back(line, read_addressed_up);
  return 0;
}
