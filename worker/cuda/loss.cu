#include "worker/cuda/loss.h"

#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"

namespace occam::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kWarps = kThreads / 32;

__device__ float warp_sum(float value) {
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0U, value, offset);
  return value;
}

// Dot product of two rows and the square of the second, by one warp; all its threads get both.
template <class T>
__device__ void dot(const float* a, const T* b, int width, float& product, float& square) {
  product = 0, square = 0;
  for (int i = threadIdx.x % 32; i < width; i += 32) {
    const float value = to_float(b[i]);
    product += a[i] * value;
    square += value * value;
  }
  product = warp_sum(product);
  square = warp_sum(square);
}

__device__ float inverse_norm(float square) { return 1 / fmaxf(sqrtf(square), 1e-12F); }

// One block an anchor: similarities to its group, softmax, and what the gradient needs of them.
// `slopes`: rows x group, d loss / d cosine; `inverse`: of the norms of all 2B rows.
template <class T>
__global__ void __launch_bounds__(kThreads)
    compare(InfoNce shape, const T* embeddings, float* slopes, float* inverse, float* losses,
            float* hits) {
  __shared__ float anchor[kInfoNceMostWidth];
  __shared__ float logits[kInfoNceMostRows];
  const int width = static_cast<int>(shape.width), group = static_cast<int>(shape.group);
  const int row = blockIdx.x, first = row / group * group;
  for (int i = threadIdx.x; i < width; i += kThreads)
    anchor[i] = to_float(embeddings[static_cast<std::int64_t>(row) * width + i]);
  __syncthreads();
  float product, square, of_anchor;
  dot(anchor, embeddings + static_cast<std::int64_t>(row) * width, width, product, of_anchor);
  of_anchor = inverse_norm(of_anchor);
  if (threadIdx.x == 0) inverse[row] = of_anchor;
  const int warp = threadIdx.x / 32;
  for (int j = warp; j < group; j += kWarps) {
    const std::int64_t other = shape.rows + first + j;
    dot(anchor, embeddings + other * width, width, product, square);
    const float of_other = inverse_norm(square);
    if (threadIdx.x % 32 == 0) {
      logits[j] = product * of_anchor * of_other / shape.temperature;
      if (first + j == row) inverse[other] = of_other;
    }
  }
  __syncthreads();
  // The largest logit and the sum of exponentials, by every warp for itself.
  float most = -INFINITY;
  for (int j = threadIdx.x % 32; j < group; j += 32) most = fmaxf(most, logits[j]);
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    most = fmaxf(most, __shfl_xor_sync(~0U, most, offset));
  float sum = 0;
  int first_most = group;
  for (int j = threadIdx.x % 32; j < group; j += 32) {
    sum += expf(logits[j] - most);
    if (logits[j] == most) first_most = min(first_most, j);
  }
  sum = warp_sum(sum);
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2)
    first_most = min(first_most, __shfl_xor_sync(~0U, first_most, offset));
  const int target = row - first;
  const float scale = 1 / (static_cast<float>(shape.rows) * shape.temperature);
  for (int j = threadIdx.x; j < group; j += kThreads)
    slopes[static_cast<std::int64_t>(row) * group + j] =
        (expf(logits[j] - most) / sum - (j == target ? 1.0F : 0.0F)) * scale;
  if (threadIdx.x == 0) {
    losses[row] = most + logf(sum) - logits[target];
    hits[row] = first_most == target ? 1.0F : 0.0F;
  }
}

// One block a row of the 2B: the gradient of its unit row, then of the row itself.
template <class T>
__global__ void __launch_bounds__(kThreads)
    gradients(InfoNce shape, const T* embeddings, const float* slopes, const float* inverse,
              T* gradient) {
  __shared__ float weights[kInfoNceMostRows];
  __shared__ float parts[kWarps];
  const int width = static_cast<int>(shape.width), group = static_cast<int>(shape.group);
  const int rows = static_cast<int>(shape.rows);
  const int me = blockIdx.x;
  const bool is_anchor = me < rows;
  const int row = is_anchor ? me : me - rows;
  const int first = row / group * group;
  const int others = (is_anchor ? rows : 0) + first;  // whom this row was compared with
  for (int j = threadIdx.x; j < group; j += kThreads) {
    const float slope = is_anchor
                            ? slopes[static_cast<std::int64_t>(row) * group + j]
                            : slopes[static_cast<std::int64_t>(first + j) * group + row - first];
    weights[j] = slope * inverse[others + j];
  }
  __syncthreads();
  constexpr int kMost = static_cast<int>(kInfoNceMostWidth) / kThreads;
  const float mine = inverse[me];
  float of_unit[kMost], unit[kMost], along = 0;
#pragma unroll
  for (int k = 0; k < kMost; ++k) {
    const int i = threadIdx.x + k * kThreads;
    of_unit[k] = unit[k] = 0;
    if (i >= width) continue;
    for (int j = 0; j < group; ++j)
      of_unit[k] +=
          weights[j] * to_float(embeddings[static_cast<std::int64_t>(others + j) * width + i]);
    unit[k] = to_float(embeddings[static_cast<std::int64_t>(me) * width + i]) * mine;
    along += of_unit[k] * unit[k];
  }
  along = warp_sum(along);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = along;
  __syncthreads();
  along = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) along += parts[w];
#pragma unroll
  for (int k = 0; k < kMost; ++k) {
    const int i = threadIdx.x + k * kThreads;
    if (i < width)
      from_float((of_unit[k] - unit[k] * along) * mine,
                 gradient[static_cast<std::int64_t>(me) * width + i]);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    to_units(std::int64_t rows, int width, const T* from, float* units, float* inverse) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  float square = 0;
  for (int i = threadIdx.x % 32; i < width; i += 32) {
    const float value = to_float(from[row * width + i]);
    square += value * value;
  }
  const float scale = inverse_norm(warp_sum(square));
  for (int i = threadIdx.x % 32; i < width; i += 32)
    units[row * width + i] = to_float(from[row * width + i]) * scale;
  if (threadIdx.x % 32 == 0) inverse[row] = scale;
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    from_units(std::int64_t rows, int width, const float* units, const float* inverse,
               const float* of_units, T* gradient) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kWarps + threadIdx.x / 32;
  if (row >= rows) return;
  float along = 0;
  for (int i = threadIdx.x % 32; i < width; i += 32)
    along += of_units[row * width + i] * units[row * width + i];
  along = warp_sum(along);
  for (int i = threadIdx.x % 32; i < width; i += 32)
    from_float((of_units[row * width + i] - units[row * width + i] * along) * inverse[row],
               gradient[row * width + i]);
}

// One block a row: the largest logit, the sum of exponentials about it, then the slopes.
constexpr int kSlopeThreads = 256, kSlopeWarps = kSlopeThreads / 32;
__global__ void __launch_bounds__(kSlopeThreads)
    slopes_of(InfoNce shape, float* cosines, float* losses, float* hits) {
  __shared__ float most_of[kSlopeWarps], sum_of[kSlopeWarps];
  __shared__ bool is_beaten;
  const int group = static_cast<int>(shape.group);
  const int target = static_cast<int>(blockIdx.x % shape.group);
  float* const row = cosines + std::int64_t{blockIdx.x} * shape.group;
  const float sharpness = 1 / shape.temperature;
  // Of a thread's logits, then of a warp's, then of all: sums about one maximum go to another's.
  float most = -INFINITY, sum = 0;
  const auto add = [&](float other_most, float other_sum) {
    const float both = fmaxf(most, other_most);
    if (both == -INFINITY) return;
    sum = sum * expf(most - both) + other_sum * expf(other_most - both);
    most = both;
  };
  for (int j = threadIdx.x; j < group; j += kSlopeThreads) add(row[j] * sharpness, 1);
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) {
    const float other_most = __shfl_xor_sync(~0U, most, offset);
    const float other_sum = __shfl_xor_sync(~0U, sum, offset);
    add(other_most, other_sum);
  }
  if (threadIdx.x % 32 == 0) most_of[threadIdx.x / 32] = most, sum_of[threadIdx.x / 32] = sum;
  __syncthreads();
  most = -INFINITY, sum = 0;
#pragma unroll
  for (int w = 0; w < kSlopeWarps; ++w) add(most_of[w], sum_of[w]);
  const float of_target = row[target] * sharpness;
  const float scale = sharpness / static_cast<float>(shape.rows);
  // A hit is the first of the largest.
  if (threadIdx.x == 0) is_beaten = of_target < most;
  __syncthreads();  // all have read the target's
  for (int j = threadIdx.x; j < group; j += kSlopeThreads) {
    const float logit = row[j] * sharpness;
    if (j < target && logit == most) is_beaten = true;
    row[j] = (expf(logit - most) / sum - (j == target ? 1.0F : 0.0F)) * scale;
  }
  __syncthreads();
  if (threadIdx.x > 0) return;
  losses[blockIdx.x] = most + logf(sum) - of_target;
  hits[blockIdx.x] = is_beaten ? 0.0F : 1.0F;
}

template <class T>
__global__ void four_way(int rows, const T* logits, T* gradient, float* losses, float* hits) {
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (row >= rows) return;
  float value[4];
  load<4>(logits + static_cast<std::int64_t>(row) * 4, value);
  const int target = row / (rows / 4);
  int best = 0;
#pragma unroll
  for (int k = 1; k < 4; ++k)
    if (value[k] > value[best]) best = k;
  float sum = 0, out[4];
  const float most = fmaxf(fmaxf(value[0], value[1]), fmaxf(value[2], value[3]));
#pragma unroll
  for (int k = 0; k < 4; ++k) sum += out[k] = expf(value[k] - most);
  float chosen = 0;
#pragma unroll
  for (int k = 0; k < 4; ++k) {
    if (k == target) chosen = value[k];
    out[k] = (out[k] / sum - (k == target ? 1.0F : 0.0F)) / static_cast<float>(rows);
  }
  store<4>(out, gradient + static_cast<std::int64_t>(row) * 4);
  losses[row] = most + logf(sum) - chosen;
  hits[row] = best == target ? 1.0F : 0.0F;
}

}  // namespace

std::int64_t info_nce_scratch(const InfoNce& shape) {
  return shape.rows * shape.group + 2 * shape.rows;
}

void info_nce(const InfoNce& shape, const void* embeddings, float* scratch, void* gradient,
              float* losses, float* hits, Stream stream) {
  with_element(shape.element, [&]<class T>(T) {
    const auto* from = static_cast<const T*>(embeddings);
    float* inverse = scratch + shape.rows * shape.group;
    launch("info_nce", compare<T>, static_cast<unsigned>(shape.rows), kThreads, 0, stream, shape,
           from, scratch, inverse, losses, hits);
    launch("info_nce", gradients<T>, static_cast<unsigned>(2 * shape.rows), kThreads, 0, stream,
           shape, from, scratch, inverse, static_cast<T*>(gradient));
  });
}

void unit_rows(std::int64_t rows, std::int64_t width, Element element, const void* from,
               float* units, float* inverse, Stream stream) {
  with_element(element, [&]<class T>(T) {
    launch("unit_rows", to_units<T>, blocks_of(rows, kWarps), kThreads, 0, stream, rows, width,
           static_cast<const T*>(from), units, inverse);
  });
}

void info_nce_slopes(const InfoNce& shape, float* cosines, float* losses, float* hits,
                     Stream stream) {
  launch("info_nce_slopes", slopes_of, static_cast<unsigned>(shape.rows), kSlopeThreads, 0, stream,
         shape, cosines, losses, hits);
}

void through_units(std::int64_t rows, std::int64_t width, Element element, const float* units,
                   const float* inverse, const float* of_units, void* gradient, Stream stream) {
  with_element(element, [&]<class T>(T) {
    launch("through_units", from_units<T>, blocks_of(rows, kWarps), kThreads, 0, stream, rows,
           width, units, inverse, of_units, static_cast<T*>(gradient));
  });
}

void rotation_prediction(std::int64_t rows, Element element, const void* logits, void* gradient,
                         float* losses, float* hits, Stream stream) {
  with_element(element, [&]<class T>(T) {
    launch("rotation_prediction", four_way<T>, blocks_of(rows, kThreads), kThreads, 0, stream, rows,
           static_cast<const T*>(logits), static_cast<T*>(gradient), losses, hits);
  });
}

}  // namespace occam::cuda
