#include "worker/train/checkpoint_header.h"

#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "experiments/received_json.h"

namespace occam {
namespace {

using nlohmann::json;

constexpr int kFormat = 2;

json to_json(const CheckpointHeader& header) {
  return {{"format", kFormat},
          {"trial", header.trial},
          {"lease", header.lease},
          {"step", header.step},
          {"loss_sum", header.loss_sum},
          {"accuracy_sum", header.accuracy_sum},
          {"tail_loss_sum", header.tail_loss_sum},
          {"tail_accuracy_sum", header.tail_accuracy_sum},
          {"weights", header.weights},
          {"statistics", header.statistics}};
}

std::uint64_t hash_of(const json& header, const CheckpointPayload& payload) {
  const std::string line = header.dump();
  XXH3_state_t* state = XXH3_createState();
  XXH3_64bits_reset(state);
  XXH3_64bits_update(state, line.data(), line.size());
  for (const auto& part : payload) XXH3_64bits_update(state, part.data(), part.size());
  const std::uint64_t hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  return hash;
}

// Whether that many weights, twice, and statistics are so many bytes of floats.
bool fills(std::int64_t weights, std::int64_t statistics, std::int64_t bytes) {
  constexpr std::int64_t kFloat = sizeof(float);
  if (weights < 0 || statistics < 0 || bytes < 0) return false;
  if (weights > bytes / kFloat || statistics > bytes / kFloat) return false;
  return kFloat * (2 * weights + statistics) == bytes;
}

}  // namespace

std::string checkpoint_line(const CheckpointHeader& header, const CheckpointPayload& payload) {
  json line = to_json(header);
  line["hash"] = hash_of(line, payload);
  return line.dump() + "\n";
}

bool ReadCheckpointHeader::is_of(const CheckpointPayload& payload) const {
  return hash == hash_of(to_json(header), payload);
}

std::optional<ReadCheckpointHeader> read_checkpoint_line(const std::string& line,
                                                         std::int64_t payload_bytes) {
  try {
    const json text = parse_received(line);
    if (text.at("format") != kFormat || !text.at("hash").is_number_unsigned()) return std::nullopt;
    ReadCheckpointHeader read{
        {text.at("trial"), integer_at(text, "lease"), integer_at(text, "step"), text.at("loss_sum"),
         text.at("accuracy_sum"), text.at("tail_loss_sum"), text.at("tail_accuracy_sum"),
         integer_at(text, "weights"), integer_at(text, "statistics")},
        text.at("hash")};
    if (!fills(read.header.weights, read.header.statistics, payload_bytes)) return std::nullopt;
    return read;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace occam
