#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace occam {

// The first line of a checkpoint: how far the training is, and what floats stand behind the line.
struct CheckpointHeader {
  std::string trial;
  std::int64_t lease = 0;
  std::int64_t step = 0;
  double loss_sum = 0, accuracy_sum = 0, tail_loss_sum = 0, tail_accuracy_sum = 0;
  // Floats: first the weights, as many of their velocity, then the statistics.
  std::int64_t weights = 0, statistics = 0;
  bool operator==(const CheckpointHeader&) const = default;
};

using CheckpointPayload = std::vector<std::span<const std::byte>>;

// One line of JSON, with its newline; it ends with the XXH3 of all else and of the payload, since a
// step that reads wrong is damage like any.
std::string checkpoint_line(const CheckpointHeader& header, const CheckpointPayload& payload);

// What the line (without its newline) says, and the hash that it ends with.
struct ReadCheckpointHeader {
  CheckpointHeader header;
  std::uint64_t hash;
  bool is_of(const CheckpointPayload& payload) const;
};

// None for a line that is damaged, of another format, or that does not ask for just so many bytes
// of payload.
std::optional<ReadCheckpointHeader> read_checkpoint_line(const std::string& line,
                                                         std::int64_t payload_bytes);

}  // namespace occam
