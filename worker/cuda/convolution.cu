#include "worker/cuda/convolution.h"

#include <algorithm>

#include "experiments/error.h"
#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/shifted_convolution.h"
#include "worker/cuda/weight_gradient.cuh"
#include "worker/cuda/wide_convolution.h"

namespace occam::cuda {
namespace {

// To 64 channels, of 64 or of 8: a block has tiles of an image.
constexpr int kOutputs = 64;
template <int inputs>
using Tiles = Geometry<inputs, 4, 32>;
template <int inputs>
using GradientTiles = Geometry<inputs, 8, 32>;
using OutputTiles = Tiles<kOutputs>;

// 64 outputs x a tile's pixels as they lie.
constexpr int kTaken = OutputTiles::kRows * OutputTiles::kBorderedColumns;
using Sums = float[kTaken / 8][4];
static_assert(kTaken == 136, "as multiply_add_136 has them");

// How a group multiplies.

// Of 64 channels. kTurned: inputs and outputs exchanged and the shifts turned around, which takes
// dy to dx.
template <bool kTurned>
struct Plain {
  using G = Tiles<64>;
  using Given = Boxes;
  static constexpr int kShiftBytes = kOutputs * kRowBytes, kWeightBytes = kShifts * kShiftBytes;
  Shared weights;

  static Given given(const void* weights, const ConvolutionShape& shape) {
    return weight_boxes(weights, shape);
  }
  // Into shared memory, by one thread.
  __device__ static void copy(const Given& boxes, Shared to, Barrier here) {
    arrive_expecting(here, kWeightBytes);
    for (int shift = 0; shift < kShifts; ++shift)
      copy_box(to + shift * kShiftBytes, boxes, weight_place(0, shift, 0), here);
  }
  __device__ Plain(const Given&, Shared from) : weights(from) {}
  __device__ void multiply(Shared tile, Sums& sum) const {
    const std::uint64_t pixels = matrix_at(tile), outputs = matrix_at(weights);
#pragma unroll
    for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
      for (int k = 0; k < 4; ++k)
        multiply_add_136<kTurned ? Major::columns : Major::rows, Major::columns>(
            outputs + (kTurned ? by_pixels((kShifts - 1 - shift) * kOutputs + 16 * k)
                               : by_pixels(shift * kOutputs) + by_channels(16 * k)),
            pixels + by_pixels(first_pixel<G>(shift)) + by_channels(16 * k), shift + k > 0, sum);
  }
};

// Of 8 channels: two shifts at a time, the last one alone.
struct Slim {
  using G = Tiles<kSlimChannels>;
  using Given = const Bf16*;
  static constexpr int kPairs = (kShifts + 1) / 2, kWeightBytes = 0;
  std::uint32_t weights[kPairs][4];

  static Given given(const void* weights, const ConvolutionShape&) {
    return static_cast<Given>(weights);
  }
  __device__ static void copy(Given, Shared, Barrier here) { arrive(here); }
  __device__ Slim(Given from, Shared) {
    const int lane = threadIdx.x % 32, output = threadIdx.x / 32 % 4 * 16 + lane / 4;
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair)
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int shift = 2 * pair + i / 2;
        const Bf16* const two =
            from + ((output + i % 2 * 8) * kShifts + shift) * kSlimChannels + lane % 4 * 2;
        weights[pair][i] = shift < kShifts ? *reinterpret_cast<const std::uint32_t*>(two) : 0;
      }
  }
  __device__ void multiply(Shared tile, Sums& sum) const {
#pragma unroll
    for (int pair = 0; pair < kPairs; ++pair) {
      const int first = first_pixel<G>(2 * pair),
                second = 2 * pair + 1 < kShifts ? first_pixel<G>(2 * pair + 1) : first;
      multiply_add_136(weights[pair], slim_matrix_at(tile, (second - first) * 16, 8 * 16) + first,
                       pair > 0, sum);
    }
  }
};

// Two groups, each with tiles of its own.
constexpr int kThreads = 2 * kGroup;

// In shared memory: of each group two tiles of inputs and what is stored, the weights, and
// barriers: for the weights, and of each group for its inputs and what a norm's sums read.
constexpr int kStoredBytes = (kTaken + 15) / 16 * 16 * kRowBytes;
template <class M>
constexpr int kGroupBytes = 2 * M::G::kBorderedBytes + kStoredBytes;
template <class M>
constexpr int kConvolveBytes = 2 * kGroupBytes<M> + M::kWeightBytes + 7 * kBarrierBytes;

// Every group takes every n-th tile, and copies the next one while it multiplies. The groups take
// turns with the tensor cores, so that one stores while the other multiplies: they would else share
// them, and both store with nothing to multiply.
template <class M, class S>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_tiles(const __grid_constant__ Boxes x,
                   const __grid_constant__ typename M::Given weights,
                   const __grid_constant__ Boxes y, int tiles, int side,
                   const __grid_constant__ OfNorm<S> of) {
  using G = typename M::G;
  constexpr int kGroupMeets = 1, kTurn = 3;  // the first group's numbers
  const Shared memory = uniform(shared_memory());
  const auto group = static_cast<int>(uniform(threadIdx.x / kGroup));
  const bool leads = threadIdx.x % kGroup == 0;
  const Shared inputs = memory + group * kGroupBytes<M>, stored = inputs + 2 * G::kBorderedBytes;
  const Shared copied_weights = memory + 2 * kGroupBytes<M>;
  const Barrier weights_here = copied_weights + M::kWeightBytes;
  const Barrier inputs_here = weights_here + (1 + 3 * group) * kBarrierBytes,
                read_here = inputs_here + 2 * kBarrierBytes;
  const auto copy = [&](int index, int buffer) {
    const Barrier here = inputs_here + buffer * kBarrierBytes;
    arrive_expecting(here, G::kCopiedBytes);
    copy_box(inputs + buffer * G::kBorderedBytes, x, bordered_place(tile_of<G>(index, side), 0),
             here);
  };
  if (threadIdx.x == 0) {
    for (int i = 0; i < 7; ++i) begin_barrier(weights_here + i * kBarrierBytes, 1);
    show_barriers();
    M::copy(weights, copied_weights, weights_here);
  }
  __syncthreads();
  auto index = static_cast<int>(2 * blockIdx.x + group);
  const auto step = static_cast<int>(2 * gridDim.x);
  if (leads && index < tiles) copy(index, 0);
  S sums(of.norm, of.channels, 0);
  wait_for_phase(weights_here, 0);
  const M operand(weights, copied_weights);
  if (group == 1) pass(kTurn);
  for (int i = 0; index - group < tiles; ++i, index += step) {
    const int now = i % 2;
    if (leads && index + step < tiles) copy(index + step, now ^ 1);
    const Place place = plain_place<OutputTiles>(tile_of<G>(index, side), 0);
    if constexpr (S::kReads) {
      if (leads && index < tiles) {
        stores_read();
        arrive_expecting(read_here, kTaken * kRowBytes);
        copy_box(stored, of.x, place, read_here);
      }
    }
    if (index < tiles) wait_for_phase(inputs_here + now * kBarrierBytes, i / 2);
    meet(kTurn + group);
    if (index >= tiles) break;
    Sums sum;
    begin_groups();
    operand.multiply(inputs + now * G::kBorderedBytes, sum);
    end_groups();
    if (group == 0 || index - group + step < tiles) pass(kTurn + (group ^ 1));
    groups_done<0>();
    if constexpr (S::kReads) {
      wait_for_phase(read_here, i);
    } else {
      if (leads) stores_read();
      wait_for_group(kGroupMeets + group);
    }
    put_product(sum, stored, sums, [](int eight) { return is_inside<OutputTiles>(eight); });
    show_groups();
    wait_for_group(kGroupMeets + group);
    if (leads) store_box(y, place, stored);
  }
  if (leads) stores_read();
  __syncthreads();
  if constexpr (!std::is_same_v<S, NoSums>) {
    sums.put(memory + group * kPutBytes);
    __syncthreads();
    // The groups' are of the same outputs.
    take_sums<kThreads, kOutputs, 2>(of, static_cast<int>(blockIdx.x), 0, shared_floats());
  }
}

// --- launches ---------------------------------------------------------------------------------

int tiles_of(const ConvolutionShape& shape) { return OutputTiles::tiles(shape); }

unsigned blocks_of(const ConvolutionShape& shape) {
  return static_cast<unsigned>(std::min((tiles_of(shape) + 1) / 2, shape.processors));
}

template <class M, class S>
void launch_tiles(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                  const typename S::Norm& norm, Stream stream) {
  const auto made = [&](const void* images) {
    return plain_boxes<OutputTiles>(images, shape, OutputTiles::kBorderedColumns);
  };
  const unsigned blocks = blocks_of(shape);
  launch("convolve", convolve_tiles<M, S>, blocks, kThreads, kConvolveBytes<M>, stream,
         bordered_boxes<typename M::G>(x, shape), M::given(weights, shape), made(y),
         tiles_of(shape), static_cast<int>(shape.side),
         of_norm<S>(norm, shape.images * shape.side * shape.side, kOutputs,
                    static_cast<int>(blocks), made));
}

// What cannot be done is an error, not a wrong result.
enum class Kind { none, slim, plain, wide, shifted };
Kind kind_of(const ConvolutionShape& shape) {
#ifdef OCCAM_WITHOUT_90A
  return Kind::none;
#endif
  constexpr std::int64_t kMostPixels = std::int64_t{1} << 30;  // so that ints count tiles
  if (shape.images < 1 || shape.images * shape.side * shape.side > kMostPixels) return Kind::none;
  if (shape.kernel == 3 && shape.stride == 1 && shape.outputs == kOutputs &&
      shape.side % OutputTiles::kColumns == 0) {
    if (shape.channels == kSlimChannels) return Kind::slim;
    if (shape.channels == kOutputs) return Kind::plain;
  }
  if (is_wide(shape)) return Kind::wide;
  return is_shifted(shape) ? Kind::shifted : Kind::none;
}
[[noreturn]] void refuse() { throw Error("there is no kernel for convolutions of this shape"); }

}  // namespace

bool has_convolution(const ConvolutionShape& shape) { return kind_of(shape) != Kind::none; }

bool has_weight_gradient(const ConvolutionShape& shape) {
  const Kind kind = kind_of(shape);
  return kind == Kind::shifted ? has_shifted_gradient(shape) : kind != Kind::none;
}

void convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
              const NormBehind& norm, Stream stream) {
  switch (kind_of(shape)) {
    case Kind::none:
      refuse();
    case Kind::slim:
      return launch_tiles<Slim, Statistics>(shape, x, weights, y, norm, stream);
    case Kind::plain:
      return launch_tiles<Plain<false>, Statistics>(shape, x, weights, y, norm, stream);
    case Kind::wide:
      return wide_convolve(shape, x, weights, y, norm, stream);
    case Kind::shifted:
      return shifted_convolve(shape, x, weights, y, norm, stream);
  }
}

void convolve_backward_input(const ConvolutionShape& shape, const void* dy, const void* weights,
                             void* dx, const NormBefore& norm, Stream stream) {
  switch (kind_of(shape)) {
    case Kind::none:
    case Kind::slim:
      refuse();
    case Kind::plain:
      if (norm.x)
        return launch_tiles<Plain<true>, BackwardSums>(shape, dy, weights, dx, norm, stream);
      return launch_tiles<Plain<true>, NoSums>(shape, dy, weights, dx, {}, stream);
    case Kind::wide:
      return wide_convolve_backward_input(shape, dy, weights, dx, norm, stream);
    case Kind::shifted:
      if (norm.x && shape.stride > 1) refuse();
      return shifted_convolve_backward_input(shape, dy, weights, dx, norm, stream);
  }
}

std::int64_t convolution_scratch_bytes(const ConvolutionShape& shape) {
  switch (kind_of(shape)) {
    case Kind::none:
      refuse();
    case Kind::slim:
      return gradient_scratch_bytes<GradientTiles<kSlimChannels>>(shape);
    case Kind::plain:
      return gradient_scratch_bytes<GradientTiles<64>>(shape);
    case Kind::wide:
      return wide_scratch_bytes(shape);
    case Kind::shifted:
      return shifted_scratch_bytes(shape);
  }
  return 0;
}

void convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                               void* dweights, void* scratch, Stream stream) {
  switch (kind_of(shape)) {
    case Kind::none:
      refuse();
    case Kind::slim:
      return launch_weight_gradient<GradientTiles<kSlimChannels>>(shape, dy, x, dweights, scratch,
                                                                  stream);
    case Kind::plain:
      return launch_weight_gradient<GradientTiles<64>>(shape, dy, x, dweights, scratch, stream);
    case Kind::wide:
      return wide_convolve_backward_weights(shape, dy, x, dweights, scratch, stream);
    case Kind::shifted:
      return shifted_convolve_backward_weights(shape, dy, x, dweights, scratch, stream);
  }
}

}  // namespace occam::cuda
