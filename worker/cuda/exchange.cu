#include "worker/cuda/exchange.cuh"

namespace occam::cuda {
namespace {

__global__ void count_round(Exchange exchange) {
  std::uint64_t& round = exchange.of_rank[exchange.rank][place_of_round(exchange)];
  if (round != kNoRound) ++round;
}

}  // namespace

std::int64_t exchange_bytes(const Exchange& exchange) {
  return (place_of_round(exchange) + 1) * static_cast<std::int64_t>(sizeof(std::uint64_t));
}

void next_round(const Exchange& exchange, Stream stream) {
  count_round<<<1, 1, 0, stream>>>(exchange);
  check_launch("next_round");
}

}  // namespace occam::cuda
