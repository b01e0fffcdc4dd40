// Any bytes are a checkpoint or none. What a header asks for is what stands behind it; written
// again it is the same, and its hash tells it from one with a byte changed.
#include "tests/fuzz/fuzz.h"
#include "worker/train/checkpoint_header.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace occam;
  const std::string bytes = text_of(data, size);
  const std::size_t end = std::min(bytes.find('\n'), bytes.size());
  std::string payload = bytes.substr(std::min(end + 1, bytes.size()));
  const auto payload_bytes = static_cast<std::int64_t>(payload.size());
  const auto read = read_checkpoint_line(bytes.substr(0, end), payload_bytes);
  if (!read) return 0;
  const CheckpointHeader& header = read->header;
  require(header.weights >= 0 && header.statistics >= 0 &&
              4 * (2 * header.weights + header.statistics) == payload_bytes,
          "a checkpoint holds the floats that its header names");
  const CheckpointPayload parts{std::as_bytes(std::span(payload))};
  const std::string line = checkpoint_line(header, parts);
  const auto again = read_checkpoint_line(line.substr(0, line.size() - 1), payload_bytes);
  require(again && again->header == header && again->is_of(parts), "a header comes back as it was");
  if (payload.empty()) return 0;
  payload[payload.size() / 2] ^= 1;
  require(!again->is_of(parts), "a changed byte is noticed");
  return 0;
}
