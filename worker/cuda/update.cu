#include "worker/cuda/update.h"

#include <string>

#include "experiments/error.h"
#include "worker/cuda/element.cuh"

namespace occam::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kChunk = 4096;  // values a block

struct Chunk {
  std::int32_t segment;
  std::int32_t begin;
};

__device__ inline float read(const void* values, Element element, std::int64_t at) {
  return element == Element::float32 ? static_cast<const float*>(values)[at]
                                     : to_float(static_cast<const __nv_bfloat16*>(values)[at]);
}
__device__ inline void write(void* values, Element element, std::int64_t at, float value) {
  if (element == Element::float32)
    static_cast<float*>(values)[at] = value;
  else
    from_float(value, static_cast<__nv_bfloat16*>(values)[at]);
}
__device__ inline void read4(const void* values, Element element, std::int64_t at,
                             float (&out)[4]) {
  if (element == Element::float32)
    load<4>(static_cast<const float*>(values) + at, out);
  else
    load<4>(static_cast<const __nv_bfloat16*>(values) + at, out);
}
__device__ inline void write4(void* values, Element element, std::int64_t at,
                              const float (&in)[4]) {
  if (element == Element::float32)
    store<4>(in, static_cast<float*>(values) + at);
  else
    store<4>(in, static_cast<__nv_bfloat16*>(values) + at);
}

struct Rule {
  float rate, momentum, decay;
  __device__ void apply(float gradient, float& weight, float& velocity) const {
    velocity = momentum * velocity - rate * fmaf(decay, weight, gradient);
    weight += velocity;
  }
};

template <bool kUpdates>
__global__ void __launch_bounds__(kThreads)
    update(const UpdateSegment* segments, const Chunk* chunks, const StepState* state,
           float momentum, float decay) {
  const Chunk chunk = chunks[blockIdx.x];
  const UpdateSegment segment = segments[chunk.segment];
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
        read4(segment.gradient, segment.gradient_element, i, gradient);
        load<4>(segment.velocity + i, velocity);
#pragma unroll
        for (int v = 0; v < 4; ++v) rule.apply(gradient[v], weight[v], velocity[v]);
        store<4>(weight, segment.weights + i);
        store<4>(velocity, segment.velocity + i);
      }
      if (segment.copy) write4(segment.copy, segment.copy_element, i, weight);
    }
    return;
  }
  for (std::int64_t i = chunk.begin + static_cast<int>(threadIdx.x); i < end; i += kThreads) {
    const std::int64_t there = i / segment.inner * segment.padded + i % segment.inner;
    float weight = segment.weights[i];
    if constexpr (kUpdates) {
      float velocity = segment.velocity[i];
      const std::int64_t here = i / segment.inner * segment.gradient_padded + i % segment.inner;
      rule.apply(read(segment.gradient, segment.gradient_element, here), weight, velocity);
      segment.weights[i] = weight;
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

void demand(cudaError_t error) {
  if (error != cudaSuccess)
    throw Error(std::string("the update's table: ") + cudaGetErrorString(error));
}

}  // namespace

Update::Update(std::vector<UpdateSegment> segments, Stream stream)
    : segments_(std::move(segments)) {
  std::vector<Chunk> chunks;
  for (std::size_t s = 0; s < segments_.size(); ++s)
    for (std::int64_t begin = 0; begin < segments_[s].count; begin += kChunk)
      chunks.push_back({static_cast<std::int32_t>(s), static_cast<std::int32_t>(begin)});
  chunks_ = static_cast<std::int64_t>(chunks.size());
  const std::size_t head = segments_.size() * sizeof(UpdateSegment);
  demand(cudaMalloc(&table_, head + chunks.size() * sizeof(Chunk)));
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
  demand(cudaMemcpyAsync(static_cast<char*>(table_) + at, from, bytes, cudaMemcpyHostToDevice,
                         stream));
  demand(cudaStreamSynchronize(stream));
}

Update::~Update() { cudaFree(table_); }

void Update::run(const StepState* state, float momentum, float weight_decay, Stream stream) const {
  const auto* segments = static_cast<const UpdateSegment*>(table_);
  const auto* chunks = reinterpret_cast<const Chunk*>(segments + segments_.size());
  update<true><<<static_cast<unsigned>(chunks_), kThreads, 0, stream>>>(segments, chunks, state,
                                                                        momentum, weight_decay);
  check_launch("update");
}

void Update::copy(Stream stream) const {
  const auto* segments = static_cast<const UpdateSegment*>(table_);
  const auto* chunks = reinterpret_cast<const Chunk*>(segments + segments_.size());
  update<false>
      <<<static_cast<unsigned>(chunks_), kThreads, 0, stream>>>(segments, chunks, nullptr, 0, 0);
  check_launch("copy of the weights");
}

void advance(StepState* state, const float* losses, const float* hits, std::int64_t rows,
             Stream stream) {
  advance_state<<<1, 32, 0, stream>>>(state, losses, hits, static_cast<int>(rows));
  check_launch("advance");
}

}  // namespace occam::cuda
