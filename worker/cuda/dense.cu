#include "worker/cuda/dense.h"

#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/matrix.cuh"

namespace occam::cuda {
namespace {

using Bf16 = __nv_bfloat16;

constexpr int kThreads = 256, kWarps = kThreads / 32;
constexpr int kOutputs = 16;  // of a block
constexpr int kDepth = 64;    // of a product's inputs at a time: rows of 128 bytes
constexpr int kMostRows = 256;
constexpr float kEps = 1e-5F;

// How the rows of one launch are dealt out: kTiles times 16 rows a warp, and kSplit warps share the
// inputs of the same rows; kStages of kDepth inputs are copied ahead.
template <int tiles, int split, int stages>
struct Deal {
  static constexpr int kTiles = tiles, kSplit = split, kStages = stages;
  static constexpr int kRows = kWarps / kSplit * kTiles * 16;
  static constexpr int kStageBytes = kRows * kDepth * 2;
};
using Few = Deal<1, 2, 8>;   // up to 64 rows
using Some = Deal<1, 1, 8>;  // up to 128
using Many = Deal<2, 1, 4>;  // up to 256

// As place_128, of rows of 32 bytes.
__device__ inline int place_32(int row, int chunk) {
  return row * 32 + ((chunk ^ (row >> 2 & 1)) << 4);
}

// kDepth columns of a matrix of `width`, zeros below its last row.
__device__ inline void copy_columns(const Bf16* from, std::int64_t width, int first, int row_begin,
                                    int rows, int rows_there, Shared to, int thread, int threads) {
  for (int i = thread; i < rows * 8; i += threads) {
    const int row = i / 8, chunk = i % 8;
    const bool outside = row_begin + row >= rows_there;
    copy_16(to + place_128(row, chunk),
            outside ? from : from + (row_begin + row) * width + first + chunk * 8, outside);
  }
}

// Of a block's 16 outputs each warp has, for each of its 16 rows, two products of eight outputs.
template <class D>
using Products = float[D::kTiles][2][4];

template <class D>
__device__ inline int row_tile(int tile) {
  return threadIdx.x / 32 % (kWarps / D::kSplit) + tile * (kWarps / D::kSplit);
}
template <class D>
__device__ inline bool has_rows() {
  return threadIdx.x / 32 < kWarps / D::kSplit;
}

// The block's products of a (rows x depth) with kOutputs columns of b. load_b brings, for sixteen
// inputs of a stage, its eight rows times two of each of two products; copy_b copies a stage of it.
template <class D, class CopyB, class LoadB>
__device__ inline void multiply(const Bf16* a, int rows, int depth, Shared a_place,
                                Products<D>& sum, const CopyB& copy_b, const LoadB& load_b) {
  const int lane = threadIdx.x % 32, share = threadIdx.x / 32 / (kWarps / D::kSplit);
  const int stages = depth / kDepth;
#pragma unroll
  for (int tile = 0; tile < D::kTiles; ++tile)
#pragma unroll
    for (int j = 0; j < 2; ++j)
#pragma unroll
      for (int v = 0; v < 4; ++v) sum[tile][j][v] = 0;
  const auto copy = [&](int stage) {
    if (stage < stages) {
      copy_columns(a, depth, stage * kDepth, 0, D::kRows, rows,
                   a_place + stage % D::kStages * D::kStageBytes, threadIdx.x, kThreads);
      copy_b(stage);
    }
    end_copies();
  };
  for (int stage = 0; stage < D::kStages; ++stage) copy(stage);
  for (int stage = 0; stage < stages; ++stage) {
    copies_done<D::kStages - 1>();
    __syncthreads();
    const Shared from = a_place + stage % D::kStages * D::kStageBytes;
#pragma unroll
    for (int step = 0; step < kDepth / 16 / D::kSplit; ++step) {
      const int k = share * (kDepth / 16 / D::kSplit) + step;
      std::uint32_t b[4];
      load_b(stage, k, b);
#pragma unroll
      for (int tile = 0; tile < D::kTiles; ++tile) {
        std::uint32_t of_rows[4];
        load_matrices(from + place_128(16 * row_tile<D>(tile) + lane % 16, 2 * k + lane / 16),
                      of_rows);
        multiply_add(of_rows, b[0], b[1], sum[tile][0]);
        multiply_add(of_rows, b[2], b[3], sum[tile][1]);
      }
    }
    if (stage + D::kStages < stages) __syncthreads();
    copy(stage + D::kStages);
  }
  if constexpr (D::kSplit == 2) {
    __shared__ float other[kWarps / 2][32][8];
    float(&mine)[8] = other[threadIdx.x / 32 % (kWarps / 2)][lane];
    if (!has_rows<D>())
#pragma unroll
      for (int i = 0; i < 8; ++i) mine[i] = sum[0][i / 4][i % 4];
    __syncthreads();
    if (has_rows<D>())
#pragma unroll
      for (int i = 0; i < 8; ++i) sum[0][i / 4][i % 4] += mine[i];
  }
}

// Calls each(tile, j, v, row, output) for all of a warp's products of rows that are there; the
// output is that of the block.
template <class D, class Each>
__device__ inline void for_products(int rows, const Each& each) {
  if (!has_rows<D>()) return;
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int tile = 0; tile < D::kTiles; ++tile)
#pragma unroll
    for (int v = 0; v < 4; ++v) {
      const int row = 16 * row_tile<D>(tile) + v / 2 * 8 + lane / 4;
      if (row >= rows) continue;
#pragma unroll
      for (int j = 0; j < 2; ++j) each(tile, j, v, row, 8 * j + lane % 4 * 2 + v % 2);
    }
}

// Adds up what each lane has for its four outputs (8 j + 2 (lane % 4) + low, at [2 j + low]) over
// all rows of the block: into sums[output].
__device__ inline void sum_over_rows(float (&mine)[4], float* sums) {
  __shared__ float of_warp[kWarps][kOutputs];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
#pragma unroll
    for (int offset = 4; offset < 32; offset *= 2) mine[i] += __shfl_xor_sync(~0U, mine[i], offset);
    if (lane < 4) of_warp[warp][i / 2 * 8 + lane * 2 + i % 2] = mine[i];
  }
  __syncthreads();
  if (threadIdx.x < kOutputs) {
    float sum = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) sum += of_warp[w][threadIdx.x];
    sums[threadIdx.x] = sum;
  }
  __syncthreads();
}

template <class D>
__global__ void __launch_bounds__(kThreads, 1)
    forward(DenseShape shape, const Bf16* x, const Bf16* weights, NormParameters parameters,
            float* saved, Bf16* z, Bf16* y) {
  const Shared a_place = shared_memory();
  const Shared b_place = a_place + D::kStages * D::kStageBytes;
  constexpr int kWeightBytes = kOutputs * kDepth * 2;
  const int first = blockIdx.x * kOutputs, lane = threadIdx.x % 32;
  const int rows = static_cast<int>(shape.rows), inputs = static_cast<int>(shape.inputs);
  Products<D> sum;
  multiply<D>(
      x, rows, inputs, a_place, sum,
      [&](int stage) {
        copy_columns(weights, inputs, stage * kDepth, first, kOutputs, first + kOutputs,
                     b_place + stage % D::kStages * kWeightBytes, threadIdx.x, kThreads);
      },
      [&](int stage, int k, std::uint32_t(&b)[4]) {
        load_matrices(b_place + stage % D::kStages * kWeightBytes +
                          place_128(lane / 16 * 8 + lane % 8, 2 * k + lane / 8 % 2),
                      b);
      });

  __shared__ float sums[kOutputs], scale[kOutputs], shift[kOutputs];
  float mine[4] = {};
  for_products<D>(rows, [&](int tile, int j, int v, int, int) {
    float& value = sum[tile][j][v];
    value = __bfloat162float(__float2bfloat16_rn(value));  // what the backward pass will read
    mine[2 * j + v % 2] += value;
  });
  sum_over_rows(mine, sums);
  const auto count = static_cast<float>(rows);
  float square[4] = {};
  for_products<D>(rows, [&](int tile, int j, int v, int, int output) {
    const float centred = sum[tile][j][v] - sums[output] / count;
    square[2 * j + v % 2] += centred * centred;
  });
  __shared__ float squares[kOutputs];
  sum_over_rows(square, squares);
  if (threadIdx.x < kOutputs) {
    const std::int64_t channel = first + threadIdx.x;
    const float mean = sums[threadIdx.x] / count, variance = squares[threadIdx.x] / count;
    const float inverse = rsqrtf(variance + kEps);
    scale[threadIdx.x] = parameters.gamma[channel] * inverse;
    shift[threadIdx.x] = parameters.beta[channel] - mean * scale[threadIdx.x];
    saved[channel] = scale[threadIdx.x];
    saved[shape.outputs + channel] = shift[threadIdx.x];
    saved[2 * shape.outputs + channel] = mean;
    saved[3 * shape.outputs + channel] = inverse;
    float& running_mean = parameters.running_mean[channel];
    running_mean += 0.1F * (mean - running_mean);
    const float unbiased = rows > 1 ? variance * (count / (count - 1)) : variance;
    float& running_variance = parameters.running_variance[channel];
    running_variance += 0.1F * (unbiased - running_variance);
  }
  __syncthreads();
  for_products<D>(rows, [&](int tile, int j, int v, int row, int output) {
    if (v % 2 == 1) return;  // with its neighbour
    const std::int64_t at = row * shape.outputs + first + output;
    const float left = sum[tile][j][v], right = sum[tile][j][v + 1];
    *reinterpret_cast<std::uint32_t*>(z + at) = pack(left, right);
    *reinterpret_cast<std::uint32_t*>(y + at) =
        pack(positive(fmaf(left, scale[output], shift[output])),
             positive(fmaf(right, scale[output + 1], shift[output + 1])));
  });
}

// The gradient of the block's weights: 16 outputs x all inputs, each warp kDepth inputs at a time.
template <class D>
__device__ inline void weight_gradient(const DenseShape& shape, const Bf16* x, Shared dz_place,
                                       Shared x_place, int first, Bf16* dweights) {
  constexpr int kBlock = 64;  // rows at a time
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int rows = static_cast<int>(shape.rows), inputs = static_cast<int>(shape.inputs);
  const Shared own = x_place + warp * kBlock * 128;
  for (int begin = warp * kDepth; begin < inputs; begin += kWarps * kDepth) {
    float sum[8][4] = {};
    for (int row = 0; row < rows; row += kBlock) {
      __syncwarp();
      copy_columns(x, inputs, begin, row, kBlock, rows, own, lane, 32);
      end_copies();
      copies_done<0>();
      __syncwarp();
#pragma unroll
      for (int k = 0; k < kBlock / 16; ++k) {
        std::uint32_t a[4];
        const int of_dz = row + 16 * k + lane / 16 * 8 + lane % 8;
        load_transposed(dz_place + place_32(of_dz, lane / 8 % 2), a);
#pragma unroll
        for (int pair = 0; pair < 4; ++pair) {
          std::uint32_t b[4];
          const int of_x = 16 * k + lane / 8 % 2 * 8 + lane % 8;
          load_transposed(own + place_128(of_x, 2 * pair + lane / 16), b);
          multiply_add(a, b[0], b[1], sum[2 * pair]);
          multiply_add(a, b[2], b[3], sum[2 * pair + 1]);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < 8; ++j)
#pragma unroll
      for (int low = 0; low < 2; ++low)
        *reinterpret_cast<std::uint32_t*>(dweights + (first + 8 * low + lane / 4) * shape.inputs +
                                          begin + 8 * j + lane % 4 * 2) =
            pack(sum[j][2 * low], sum[j][2 * low + 1]);
  }
}

template <class D>
__global__ void __launch_bounds__(kThreads, 1)
    backward(DenseShape shape, DenseNext next, const Bf16* x, const Bf16* z, const float* gamma,
             const float* saved, Bf16* dz, Bf16* dweights, float* dgamma, float* dbeta) {
  const Shared a_place = shared_memory();  // of the product, then of the inputs
  const Shared b_place = a_place + D::kStages * D::kStageBytes;
  constexpr int kWeightBytes = kDepth * kOutputs * 2;
  const Shared dz_place = b_place + D::kStages * kWeightBytes;
  const int first = blockIdx.x * kOutputs, lane = threadIdx.x % 32;
  const int rows = static_cast<int>(shape.rows);
  const auto* weights = static_cast<const Bf16*>(next.weights);
  Products<D> dy;
  multiply<D>(
      static_cast<const Bf16*>(next.dz), rows, static_cast<int>(next.outputs), a_place, dy,
      [&](int stage) {
        for (int i = threadIdx.x; i < kDepth * 2; i += kThreads)
          copy_16(b_place + stage % D::kStages * kWeightBytes + place_32(i / 2, i % 2),
                  weights + (stage * kDepth + i / 2) * shape.outputs + first + i % 2 * 8, false);
      },
      [&](int stage, int k, std::uint32_t(&b)[4]) {
        load_transposed(
            b_place + stage % D::kStages * kWeightBytes + place_32(16 * k + lane % 16, lane / 16),
            b);
      });

  const float* const mean = saved + 2 * shape.outputs + first;
  Products<D> of_z;
  float sum[4] = {}, product[4] = {};
  for_products<D>(rows, [&](int tile, int j, int v, int row, int output) {
    const float value = __bfloat162float(z[row * shape.outputs + first + output]);
    of_z[tile][j][v] = value;
    float& g = dy[tile][j][v];
    if (!(fmaf(value, saved[first + output], saved[shape.outputs + first + output]) > 0)) g = 0;
    sum[2 * j + v % 2] += g;
    product[2 * j + v % 2] += g * (value - mean[output]);
  });
  __shared__ float sums[kOutputs], products[kOutputs];
  sum_over_rows(sum, sums);
  sum_over_rows(product, products);
  __shared__ float of_g[kOutputs], slope[kOutputs], constant[kOutputs];
  if (threadIdx.x < kOutputs) {
    const int output = threadIdx.x;
    const float inverse = saved[3 * shape.outputs + first + output];
    const float of_gamma = products[output] * inverse;
    dgamma[first + output] = of_gamma;
    dbeta[first + output] = sums[output];
    of_g[output] = gamma[first + output] * inverse;
    slope[output] = -of_g[output] * inverse * of_gamma / static_cast<float>(rows);
    constant[output] =
        -of_g[output] * sums[output] / static_cast<float>(rows) - slope[output] * mean[output];
  }
  // Rows that are not there add nothing to the weights' gradient.
  for (int i = threadIdx.x; i < D::kRows * 8; i += kThreads) store_4(dz_place + 4 * i, 0);
  __syncthreads();
  for_products<D>(rows, [&](int tile, int j, int v, int row, int output) {
    if (v % 2 == 1) return;
    const auto at = [&](int low) {
      return fmaf(dy[tile][j][v + low], of_g[output + low],
                  fmaf(of_z[tile][j][v + low], slope[output + low], constant[output + low]));
    };
    const std::uint32_t both = pack(at(0), at(1));
    *reinterpret_cast<std::uint32_t*>(dz + row * shape.outputs + first + output) = both;
    store_4(dz_place + place_32(row, j) + lane % 4 * 4, both);
  });
  __syncthreads();
  weight_gradient<D>(shape, x, dz_place, a_place, first, dweights);
}

// --- launches ---------------------------------------------------------------------------------

template <class D>
constexpr int kBytes = D::kStages*(D::kStageBytes + kOutputs * kDepth * 2) + D::kRows * 32;
static_assert(kWarps * 64 * 128 <= Few::kStages * Few::kStageBytes, "the inputs' place");

template <class Work>
void with_deal(const DenseShape& shape, Work work) {
  if (shape.rows <= Few::kRows)
    work(Few{});
  else if (shape.rows <= Some::kRows)
    work(Some{});
  else
    work(Many{});
}

unsigned blocks_of(const DenseShape& shape) {
  return static_cast<unsigned>(shape.outputs / kOutputs);
}

}  // namespace

bool is_dense(const DenseShape& shape, std::size_t shared_bytes) {
  if (shape.rows > kMostRows || shape.inputs % kDepth != 0 || shape.outputs % kDepth != 0)
    return false;
  bool fits = false;
  with_deal(shape, [&]<class D>(D) { fits = static_cast<std::size_t>(kBytes<D>) <= shared_bytes; });
  return fits;
}

void dense_forward(const DenseShape& shape, const void* x, const void* weights,
                   const NormParameters& parameters, float* saved, void* z, void* y,
                   Stream stream) {
  with_deal(shape, [&]<class D>(D) {
    launch("dense_forward", forward<D>, blocks_of(shape), kThreads, kBytes<D>, stream, shape,
           static_cast<const Bf16*>(x), static_cast<const Bf16*>(weights), parameters, saved,
           static_cast<Bf16*>(z), static_cast<Bf16*>(y));
  });
}

void dense_backward(const DenseShape& shape, const DenseNext& next, const void* x, const void* z,
                    const float* gamma, const float* saved, void* dz, void* dweights, float* dgamma,
                    float* dbeta, Stream stream) {
  with_deal(shape, [&]<class D>(D) {
    launch("dense_backward", backward<D>, blocks_of(shape), kThreads, kBytes<D>, stream, shape,
           next, static_cast<const Bf16*>(x), static_cast<const Bf16*>(z), gamma, saved,
           static_cast<Bf16*>(dz), static_cast<Bf16*>(dweights), dgamma, dbeta);
  });
}

}  // namespace occam::cuda
