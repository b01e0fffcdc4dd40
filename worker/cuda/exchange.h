#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

// Sums over the GPUs of a gang in the middle of a kernel: each GPU writes its values to memory of
// all the others, and waits until theirs have come to its own. A value travels with the number of
// the round in eight bytes that are written as one, so nothing needs to be cleared or fenced.

namespace occam::cuda {

constexpr int kMostMembers = 8;

// Passed to kernels as it is. Of one member there is nobody to wait for.
struct Exchange {
  int rank = 0, size = 1;
  std::uint64_t* of_rank[kMostMembers] = {};  // the members' memory, as this one reaches it
  const std::int32_t* broken = nullptr;       // of the host: not 0 once nobody need wait any more
  std::int64_t values = 0;                    // that a member sends in a round, at most
  std::int64_t first = 0;                     // where among them this kernel's lie
};

// What each member's memory must hold, zeroed before the first round.
std::int64_t exchange_bytes(const Exchange& exchange);

// Begins a round, in which each place is sent once: before the first kernel that sends. Members
// begin rounds and send in the same order; each round has two exchanges at least, so that nobody
// is more than one behind.
void next_round(const Exchange& exchange, Stream stream);

}  // namespace occam::cuda
