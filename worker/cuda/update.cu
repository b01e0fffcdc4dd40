#include "worker/cuda/update.h"

#include "worker/cuda/demand.h"
#include "worker/cuda/element.cuh"
#include "worker/cuda/exchange.cuh"

namespace occam::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 4096;  // values a block

struct Chunk {
  std::int32_t segment;
  std::int32_t begin;
};

template <int V>
__device__ inline void read(const void* values, Element element, std::int64_t at, float (&out)[V]) {
  if (element == Element::float32)
    load<V>(static_cast<const float*>(values) + at, out);
  else
    load<V>(static_cast<const __nv_bfloat16*>(values) + at, out);
}
template <int V>
__device__ inline void write(void* values, Element element, std::int64_t at, const float (&in)[V]) {
  if (element == Element::float32)
    store<V>(in, static_cast<float*>(values) + at);
  else
    store<V>(in, static_cast<__nv_bfloat16*>(values) + at);
}

template <int V>
__device__ inline void gradient_at(const UpdateSegment& segment, const SentGradients& sent,
                                   std::int64_t at, float (&out)[V]) {
  if (segment.of == GradientOf::own)
    return read(segment.gradient, segment.gradient_element, at, out);
#pragma unroll
  for (float& value : out) value = 0;
  for (int rank = 0; rank < sent.exchange.size; ++rank) {
    float one[V];
    read(rank == sent.exchange.rank ? segment.gradient : sent.of_rank[rank] + segment.place,
         segment.gradient_element, at, one);
#pragma unroll
    for (int v = 0; v < V; ++v) out[v] += one[v];
  }
}

// Tells the others that this member's gradients are there, and waits for those that are read here.
// What a stream has done before a kernel is there for the others once the kernel says so.
__device__ inline void meet(const UpdateSegment& segment, const SentGradients& sent) {
  const Exchange& exchange = sent.exchange;
  const int thread = static_cast<int>(threadIdx.x);
  if (blockIdx.x == 0 && thread == 0) {
    __threadfence_system();
    send(exchange, round_of(exchange), 0, 0);
  }
  if (segment.of == GradientOf::all && thread < exchange.size && thread != exchange.rank) {
    received(exchange, round_of(exchange), 0, thread);
    __threadfence_system();
  }
  __syncthreads();
}

struct Rule {
  float rate, momentum, decay;
  __device__ void apply(float gradient, float& weight, float& velocity) const {
    velocity = momentum * velocity - rate * fmaf(decay, weight, gradient);
    weight += velocity;
  }
};

enum class Kind { copy, alone, gang };

template <Kind kKind>
__global__ void __launch_bounds__(kThreads)
    update(const UpdateSegment* segments, const Chunk* chunks, const StepState* state,
           float momentum, float decay, const SentGradients sent) {
  constexpr bool kUpdates = kKind != Kind::copy;
  const Chunk chunk = chunks[blockIdx.x];
  const UpdateSegment segment = segments[chunk.segment];
  if constexpr (kKind == Kind::gang) meet(segment, sent);
  const auto gradient_of = [&]<int V>(std::int64_t at, float(&out)[V]) {
    if constexpr (kKind == Kind::gang)
      gradient_at(segment, sent, at, out);
    else
      read(segment.gradient, segment.gradient_element, at, out);
  };
  const Rule rule{kUpdates ? state->rate : 0, momentum, decay};
  const std::int64_t end = min(segment.count, static_cast<std::int64_t>(chunk.begin) + kChunk);
  // Four values at once; what lies behind an odd number of others is not where they could be read.
  const auto is_aligned = [](const void* place) {
    return reinterpret_cast<std::uintptr_t>(place) % (4 * sizeof(float)) == 0;
  };
  const bool is_plain = segment.inner == segment.padded &&
                        segment.inner == segment.gradient_padded && segment.count % 4 == 0 &&
                        is_aligned(segment.weights) && is_aligned(segment.velocity);
  if (is_plain) {
#pragma unroll 2
    for (std::int64_t i = chunk.begin + 4 * static_cast<int>(threadIdx.x); i < end;
         i += 4 * kThreads) {
      float weight[4];
      load<4>(segment.weights + i, weight);
      if constexpr (kUpdates) {
        float gradient[4], velocity[4];
        gradient_of(i, gradient);
        load<4>(segment.velocity + i, velocity);
#pragma unroll
        for (int v = 0; v < 4; ++v) rule.apply(gradient[v], weight[v], velocity[v]);
        store<4>(weight, segment.weights + i);
        store<4>(velocity, segment.velocity + i);
      }
      if (segment.copy) write(segment.copy, segment.copy_element, i, weight);
    }
    return;
  }
  for (std::int64_t i = chunk.begin + static_cast<int>(threadIdx.x); i < end; i += kThreads) {
    const std::int64_t there = i / segment.inner * segment.padded + i % segment.inner;
    float weight[1] = {segment.weights[i]};
    if constexpr (kUpdates) {
      float gradient[1], velocity = segment.velocity[i];
      gradient_of(i / segment.inner * segment.gradient_padded + i % segment.inner, gradient);
      rule.apply(gradient[0], weight[0], velocity);
      segment.weights[i] = weight[0];
      segment.velocity[i] = velocity;
    }
    if (segment.copy) write(segment.copy, segment.copy_element, there, weight);
  }
}

// One warp, so that the sums have one order.
__global__ void advance_state(StepState* state, const float* losses, const float* hits, int rows) {
  float loss = 0, hit = 0;
  for (int i = static_cast<int>(threadIdx.x); i < rows; i += 32) loss += losses[i], hit += hits[i];
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    loss += __shfl_xor_sync(~0U, loss, offset);
    hit += __shfl_xor_sync(~0U, hit, offset);
  }
  if (threadIdx.x > 0) return;
  state->loss_sum += static_cast<double>(loss) / rows;
  state->accuracy_sum += static_cast<double>(hit) / rows;
  state->index += 1;
}

constexpr char kTable[] = "the update's table";

}  // namespace

Update::Update(std::vector<UpdateSegment> segments, Stream stream)
    : segments_(std::move(segments)) {
  std::vector<Chunk> chunks;
  for (std::size_t s = 0; s < segments_.size(); ++s)
    for (std::int64_t begin = 0; begin < segments_[s].count; begin += kChunk)
      chunks.push_back({static_cast<std::int32_t>(s), static_cast<std::int32_t>(begin)});
  chunks_ = static_cast<std::int64_t>(chunks.size());
  const std::size_t head = segments_.size() * sizeof(UpdateSegment);
  void* table = nullptr;
  demand(cudaMalloc(&table, head + chunks.size() * sizeof(Chunk)), kTable);
  table_.reset(table);
  write(0, segments_.data(), head, stream);
  write(head, chunks.data(), chunks.size() * sizeof(Chunk), stream);
}

void Update::read_from(const std::vector<const void*>& gradients, Stream stream) {
  for (std::size_t s = 0; s < segments_.size(); ++s) segments_[s].gradient = gradients.at(s);
  write(0, segments_.data(), segments_.size() * sizeof(UpdateSegment), stream);
}

// On the stream whose kernels read it: cudaMemcpy may return before the bytes have arrived, and
// streams that do not wait for the default one then read what was there before.
void Update::write(std::size_t at, const void* from, std::size_t bytes, Stream stream) {
  demand(cudaMemcpyAsync(static_cast<char*>(table_.get()) + at, from, bytes, cudaMemcpyHostToDevice,
                         stream),
         kTable);
  demand(cudaStreamSynchronize(stream), kTable);
}

void Update::Free::operator()(void* memory) const { cudaFree(memory); }

void Update::run(const StepState* state, float momentum, float weight_decay, Stream stream,
                 const SentGradients* sent) const {
  const auto* segments = static_cast<const UpdateSegment*>(table_.get());
  const auto* chunks = reinterpret_cast<const Chunk*>(segments + segments_.size());
  const auto kernel = sent ? update<Kind::gang> : update<Kind::alone>;
  kernel<<<static_cast<unsigned>(chunks_), kThreads, 0, stream>>>(
      segments, chunks, state, momentum, weight_decay, sent ? *sent : SentGradients{});
  check_launch("update");
}

void Update::copy(Stream stream) const {
  const auto* segments = static_cast<const UpdateSegment*>(table_.get());
  const auto* chunks = reinterpret_cast<const Chunk*>(segments + segments_.size());
  update<Kind::copy><<<static_cast<unsigned>(chunks_), kThreads, 0, stream>>>(segments, chunks,
                                                                              nullptr, 0, 0, {});
  check_launch("copy of the weights");
}

void advance(StepState* state, const float* losses, const float* hits, std::int64_t rows,
             Stream stream) {
  advance_state<<<1, 32, 0, stream>>>(state, losses, hits, static_cast<int>(rows));
  check_launch("advance");
}

}  // namespace occam::cuda
