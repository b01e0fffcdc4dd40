#pragma once

#include "worker/cuda/exchange.h"

namespace occam::cuda {

// Behind the places of all members.
__host__ __device__ inline std::int64_t place_of_round(const Exchange& exchange) {
  return exchange.size * exchange.values;
}

// The round of a member that has gone on without the others' values. What it makes of that is sent
// under this number, which nobody waits for.
constexpr std::uint32_t kNoRound = ~0U;

// A word of another member's memory, or that another member writes. Without nvcc,
// tests/kernels/simt.h has these for a CPU.
#ifdef __CUDACC__
__device__ inline void put_far(std::uint64_t* to, std::uint64_t word) {
  asm volatile("st.relaxed.sys.global.u64 [%0], %1;" ::"l"(to), "l"(word) : "memory");
}
__device__ inline std::uint64_t get_far(const std::uint64_t* from) {
  std::uint64_t word;
  asm volatile("ld.relaxed.sys.global.u64 %0, [%1];" : "=l"(word) : "l"(from) : "memory");
  return word;
}
#endif

__device__ inline std::uint32_t round_of(const Exchange& exchange) {
  return static_cast<std::uint32_t>(exchange.of_rank[exchange.rank][place_of_round(exchange)]);
}

__device__ inline void send(const Exchange& exchange, std::uint32_t round, std::int64_t place,
                            float value) {
  const std::uint64_t word = std::uint64_t{round} << 32 | __float_as_uint(value);
  const std::int64_t at = exchange.rank * exchange.values + exchange.first + place;
  for (int rank = 0; rank < exchange.size; ++rank)
    if (rank != exchange.rank) put_far(exchange.of_rank[rank] + at, word);
}

// What that member has sent; anything once the gang is broken.
__device__ inline float received(const Exchange& exchange, std::uint32_t round, std::int64_t place,
                                 int rank) {
  constexpr unsigned kLooks = 4096;  // of which one goes to the host
  std::uint64_t* const mine = exchange.of_rank[exchange.rank];
  const std::uint64_t* const from = mine + rank * exchange.values + exchange.first + place;
  for (unsigned looks = 1; round != kNoRound; ++looks) {
    const std::uint64_t word = get_far(from);
    if (static_cast<std::uint32_t>(word >> 32) == round)
      return __uint_as_float(static_cast<std::uint32_t>(word));
    if (looks % kLooks == 0 && *static_cast<const volatile std::int32_t*>(exchange.broken) != 0)
      break;
  }
  mine[place_of_round(exchange)] = kNoRound;
  return 0;
}

// The members' values of this place in the order of their ranks: the same bits on each.
__device__ inline float sum_of_members(const Exchange& exchange, std::uint32_t round,
                                       std::int64_t place, float own) {
  float sum = 0;
  for (int rank = 0; rank < exchange.size; ++rank)
    sum += rank == exchange.rank ? own : received(exchange, round, place, rank);
  return sum;
}

}  // namespace occam::cuda
