#include "worker/cuda/loss.h"

#include "worker/cuda/element.cuh"

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
  const auto run = [&]<class T>(const T* from, T* to) {
    float* inverse = scratch + shape.rows * shape.group;
    compare<T><<<static_cast<unsigned>(shape.rows), kThreads, 0, stream>>>(shape, from, scratch,
                                                                           inverse, losses, hits);
    gradients<T><<<static_cast<unsigned>(2 * shape.rows), kThreads, 0, stream>>>(
        shape, from, scratch, inverse, to);
  };
  if (shape.element == Element::float32)
    run(static_cast<const float*>(embeddings), static_cast<float*>(gradient));
  else
    run(static_cast<const __nv_bfloat16*>(embeddings), static_cast<__nv_bfloat16*>(gradient));
  check_launch("info_nce");
}

void rotation_prediction(std::int64_t rows, Element element, const void* logits, void* gradient,
                         float* losses, float* hits, Stream stream) {
  const auto blocks = static_cast<unsigned>((rows + kThreads - 1) / kThreads);
  const auto run = [&]<class T>(const T* from, T* to) {
    four_way<T><<<blocks, kThreads, 0, stream>>>(static_cast<int>(rows), from, to, losses, hits);
  };
  if (element == Element::float32)
    run(static_cast<const float*>(logits), static_cast<float*>(gradient));
  else
    run(static_cast<const __nv_bfloat16*>(logits), static_cast<__nv_bfloat16*>(gradient));
  check_launch("rotation_prediction");
}

}  // namespace occam::cuda
