#include "worker/cuda/wide_convolution.h"

#include <algorithm>

#include "worker/cuda/convolution.cuh"
#include "worker/cuda/launch.cuh"
#include "worker/cuda/weight_gradient.cuh"

namespace occam::cuda {
namespace {

constexpr int kChannels = kWideChannels, kSide = kWideSide;
using Image = Geometry<kChannels, kSide, kSide>;
constexpr int kPlanes = Image::kPlanes;
// Of the tensor cores' matrices none lies here, so planes follow each other closely.
constexpr int kPlaneBytes = Image::kBorderedPixels * kRowBytes, kImageBytes = kPlanes * kPlaneBytes;
constexpr int kImageCopies = kPlanes * Image::kBorderedPixels * kChunks;

// Two groups of four warps, each with half of the image's rows.
constexpr int kThreads = 2 * kGroup;
// A stage is one shift's weights of one plane; a few are in shared memory, in turn.
constexpr int kStages = kShifts * kPlanes, kSlots = 4, kAhead = 2;
constexpr int kStageBytes = kChannels * kRowBytes;
constexpr int kBytes = kSlots * kStageBytes + 2 * kImageBytes;

// The i-th sixteen bytes of an image with its border.
__device__ inline void copy_pixel(const Bf16* images, std::int64_t image, int i, Shared to) {
  const int plane = i / (Image::kBorderedPixels * kChunks);
  copy_bordered<Image>(images, {image, 0, 0}, plane, kSide, i % (Image::kBorderedPixels * kChunks),
                       to + plane * kPlaneBytes);
}

// Forward: 128 rows of outputs x 64 inputs. Turned: twice (for halves of the inputs, which are the
// product's columns) 64 rows of outputs x 64 inputs.
template <bool kTurned>
__device__ inline void copy_stage(const Bf16* weights, int stage, Shared to) {
  const int shift = stage / kPlanes, plane = stage % kPlanes;
  for (int i = threadIdx.x; i < kChannels * kChunks; i += kThreads) {
    const int chunk = i % kChunks, row = i / kChunks;
    if constexpr (kTurned) {
      const int half = row / kPlaneChannels, output = plane * kPlaneChannels + row % kPlaneChannels;
      copy_16(to + place_128(row, chunk),
              weights + (output * kShifts + kShifts - 1 - shift) * kChannels +
                  half * kPlaneChannels + chunk * 8,
              false);
    } else {
      copy_16(to + place_128(row, chunk),
              weights + (row * kShifts + shift) * kChannels + plane * kPlaneChannels + chunk * 8,
              false);
    }
  }
}

// A warp has two rows of 16 pixels of its group's eight.
__device__ inline int row_of(int block) {
  return static_cast<int>(threadIdx.x / 128 * 8 + 4 * block + threadIdx.x / 32 % 4);
}
using Sums = float[2][2][8][4];  // by row, half of the outputs

struct Inputs {
  std::uint32_t a[2][4][4];
};
__device__ inline void load_inputs(Shared image, int shift, int plane, Inputs& to) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int block = 0; block < 2; ++block) {
    const int pixel = (row_of(block) + shift / 3) * Image::kBorderedColumns + shift % 3 + lane % 16;
#pragma unroll
    for (int k = 0; k < 4; ++k)
      load_matrices(image + plane * kPlaneBytes + place_128(pixel, 2 * k + lane / 16),
                    to.a[block][k]);
  }
}

template <bool kTurned>
__device__ inline void multiply_in_groups(const Inputs& inputs, Shared stage, bool adds,
                                          Sums& sum) {
  begin_groups();
#pragma unroll
  for (int k = 0; k < 4; ++k)
#pragma unroll
    for (int block = 0; block < 2; ++block)
#pragma unroll
      for (int half = 0; half < 2; ++half)
        multiply_add_group<!kTurned>(
            inputs.a[block][k],
            matrix_at(stage + half * (kStageBytes / 2) + k * (kTurned ? 16 * kRowBytes : 32)),
            adds || k > 0, sum[block][half]);
  end_groups();
}

template <bool kTurned>
__device__ inline void multiply_in_warps(const Inputs& inputs, Shared stage, bool adds, Sums& sum) {
  const int lane = threadIdx.x % 32;
  if (!adds)
#pragma unroll
    for (int i = 0; i < 128; ++i) sum[i / 64][i / 32 % 2][i / 4 % 8][i % 4] = 0;
#pragma unroll
  for (int k = 0; k < 4; ++k)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int pair = 0; pair < 4; ++pair) {
        std::uint32_t b[4];
        const Shared from = stage + half * (kStageBytes / 2);
        if constexpr (kTurned)
          load_transposed(from + place_128(16 * k + lane % 16, 2 * pair + lane / 16), b);
        else
          load_matrices(
              from + place_128(8 * (2 * pair + lane / 16) + lane % 8, 2 * k + lane / 8 % 2), b);
#pragma unroll
        for (int block = 0; block < 2; ++block)
#pragma unroll
          for (int j = 0; j < 2; ++j)
            multiply_add(inputs.a[block][k], b[2 * j], b[2 * j + 1],
                         sum[block][half][2 * pair + j]);
      }
}

// A thread stores the same eight channels of every sixteenth pixel. What is done beside: with each
// of these, `index` being the first channel's place, and, at the end, for all images of the block.
constexpr int kEights = kChannels / 8;
__device__ inline int first_channel() { return 8 * static_cast<int>(threadIdx.x % kEights); }

// Of all threads of the block: a row of first sums, then one of second ones. `room` is theirs then.
__device__ inline void write_sums(const float (&first)[8], const float (&second)[8], Shared room,
                                  float* to) {
  const auto place = [&](int i, int thread) { return room + (i * kThreads + thread) * 4; };
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    store_4(place(i, threadIdx.x), __float_as_uint(first[i]));
    store_4(place(8 + i, threadIdx.x), __float_as_uint(second[i]));
  }
  __syncthreads();
  static_assert(2 * kChannels == kThreads);
  const int i = threadIdx.x / kChannels * 8 + threadIdx.x % 8;
  float total = 0;
  for (int thread = threadIdx.x % kChannels / 8; thread < kThreads; thread += kEights)
    total += __uint_as_float(load_4(place(i, thread)));
  to[threadIdx.x] = total;
}

// Sums and sums of squares about an origin.
struct Statistics {
  using Given = ConvolutionSums;
  float sum[8] = {}, square[8] = {}, origin[8];

  __device__ explicit Statistics(const Given& given) {
    load<8>(given.origin + first_channel(), origin);
  }
  __device__ void begin_image() {}
  __device__ void take(std::int64_t, uint4& eight) {
    add_squares(eight.x, origin, sum, square);
    add_squares(eight.y, origin + 2, sum + 2, square + 2);
    add_squares(eight.z, origin + 4, sum + 4, square + 4);
    add_squares(eight.w, origin + 6, sum + 6, square + 6);
  }
  __device__ void write(Shared room, float* to) { write_sums(sum, square, room, to); }
};

template <bool kHasResidual, bool kHasOther>
struct ThroughRelu {
  using Given = NormBefore;
  const Given& given;
  EightThroughRelu<kHasResidual, kHasOther> eight;

  __device__ explicit ThroughRelu(const Given& before) : given(before) {}
  __device__ void begin_image() { eight.look_up(given, kChannels, first_channel()); }
  __device__ void take(std::int64_t index, uint4& values) { eight.take(given, index, values); }
  __device__ void write(Shared room, float* to) { write_sums(eight.sum, eight.product, room, to); }
};

struct Nothing {
  struct Given {
    float* parts = nullptr;
  };
  __device__ explicit Nothing(const Given&) {}
  __device__ void begin_image() {}
  __device__ void take(std::int64_t, uint4&) {}
  __device__ void write(Shared, float*) {}
};

// Through shared memory, to be stored in whole lines: two planes as of the inputs, without border.
constexpr int kStoredPlane = Image::kBytes;
static_assert(kPlanes * kStoredPlane <= kImageBytes);

template <class Beside>
__device__ inline void store_sums(const Sums& sum, std::int64_t image, Shared stored, Bf16* y,
                                  Beside& beside) {
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int block = 0; block < 2; ++block)
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int j = 0; j < 8; j += 2) {
        std::uint32_t packed[4];  // pixels 0 to 7 and 8 to 15 of eight channels, and of the next
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const float(&four)[4] = sum[block][half][j + i / 2];
          packed[i] = pack(four[i % 2 * 2], four[i % 2 * 2 + 1]);
        }
        store_matrices(stored + half * kStoredPlane +
                           place_128(row_of(block) * kSide + lane % 16, j + lane / 16),
                       packed);
      }
  __syncthreads();
  beside.begin_image();
#pragma unroll 4
  for (int pixel = threadIdx.x / kEights; pixel < Image::kPixels; pixel += kThreads / kEights) {
    const int eight = threadIdx.x % kEights;
    uint4 values =
        load_16(stored + eight / kChunks * kStoredPlane + place_128(pixel, eight % kChunks));
    const std::int64_t index = (image * Image::kPixels + pixel) * kChannels + 8 * eight;
    beside.take(index, values);
    *reinterpret_cast<uint4*>(y + index) = values;
  }
}

// Every block takes every gridDim.x-th image, and copies the next one and the stages to come while
// it multiplies.
template <bool kTurned, class Beside>
__global__ void __launch_bounds__(kThreads, 1)
    convolve_images(const Bf16* x, const Bf16* weights, Bf16* y, std::int64_t images,
                    typename Beside::Given given) {
  const Shared slots = shared_memory(), inputs = slots + kSlots * kStageBytes;
  int slot = 0;
  for (int i = threadIdx.x; i < kImageCopies; i += kThreads) copy_pixel(x, blockIdx.x, i, inputs);
  for (int stage = 0; stage < kAhead; ++stage) {
    copy_stage<kTurned>(weights, stage, slots + stage * kStageBytes);
    end_copies();
  }
  Beside beside(given);
  Inputs operands[kPlanes];
  Sums sum;
  int now = 0;
  for (std::int64_t image = blockIdx.x; image < images; image += gridDim.x, now ^= 1) {
    const std::int64_t next = image + gridDim.x;
    const Shared here = inputs + now * kImageBytes, there = inputs + (now ^ 1) * kImageBytes;
#pragma unroll 1
    for (int shift = 0; shift < kShifts; ++shift)
#pragma unroll
      for (int plane = 0; plane < kPlanes; ++plane) {
        const int stage = shift * kPlanes + plane;
        copies_done<kAhead - 1>();
        show_groups();
        __syncthreads();
        if (stage == 0) load_inputs(here, 0, 0, operands[0]);
        const Shared of_stage = slots + slot * kStageBytes;
        if constexpr (kHasGroups)
          multiply_in_groups<kTurned>(operands[plane], of_stage, stage > 0, sum);
        else
          multiply_in_warps<kTurned>(operands[plane], of_stage, stage > 0, sum);
        // Nobody reads the slot any more that is filled here: its products were waited for.
        const int ahead = (stage + kAhead) % kStages;
        if (stage + kAhead < kStages || next < images)
          copy_stage<kTurned>(weights, ahead, slots + (slot + kAhead) % kSlots * kStageBytes);
        constexpr int kPerStage = 2;
        static_assert(kPerStage * kThreads * (kStages - kAhead) >= kImageCopies, "all in time");
#pragma unroll
        for (int i = 0; i < kPerStage; ++i) {
          const int copy = (stage * kPerStage + i) * kThreads + threadIdx.x;
          if (copy < kImageCopies && next < images) copy_pixel(x, next, copy, there);
        }
        end_copies();
        slot = (slot + 1) % kSlots;
        groups_done<1>();  // that still read the other operands
        if (plane == 0)
          load_inputs(here, shift, 1, operands[1]);
        else if (shift + 1 < kShifts)
          load_inputs(here, shift + 1, 0, operands[0]);
      }
    groups_done<0>();
    store_sums(sum, image, here, y, beside);  // whose inputs all warps have taken
  }
  __syncthreads();
  beside.write(inputs, given.parts + static_cast<std::int64_t>(blockIdx.x) * 2 * kChannels);
}

// --- launches ---------------------------------------------------------------------------------

unsigned blocks_of(const ConvolutionShape& shape) {
  return static_cast<unsigned>(std::min<std::int64_t>(shape.images, shape.processors));
}

template <bool kTurned, class Beside>
void launch_images(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                   const typename Beside::Given& given, Stream stream) {
  launch("convolve", convolve_images<kTurned, Beside>, blocks_of(shape), kThreads, kBytes, stream,
         static_cast<const Bf16*>(x), static_cast<const Bf16*>(weights), static_cast<Bf16*>(y),
         shape.images, given);
}

}  // namespace

int wide_shared_bytes() { return std::max(kBytes, kGradientBytes<Image>); }

int wide_parts(const ConvolutionShape& shape) { return static_cast<int>(blocks_of(shape)); }

void wide_convolve(const ConvolutionShape& shape, const void* x, const void* weights, void* y,
                   const ConvolutionSums& sums, Stream stream) {
  launch_images<false, Statistics>(shape, x, weights, y, sums, stream);
}

void wide_convolve_backward_input(const ConvolutionShape& shape, const void* dy,
                                  const void* weights, void* dx, Stream stream) {
  launch_images<true, Nothing>(shape, dy, weights, dx, {}, stream);
}

void wide_backward_through_relu(const ConvolutionShape& shape, const void* dy, const void* weights,
                                void* dx, const NormBefore& before, Stream stream) {
  with_before(before, [&]<class Residual, class Other>(Residual, Other) {
    launch_images<true, ThroughRelu<Residual::value, Other::value>>(shape, dy, weights, dx, before,
                                                                    stream);
  });
}

std::int64_t wide_scratch_bytes(const ConvolutionShape& shape) {
  return gradient_scratch_bytes<Image>(shape);
}

void wide_convolve_backward_weights(const ConvolutionShape& shape, const void* dy, const void* x,
                                    void* dweights, void* scratch, Stream stream) {
  launch_weight_gradient<Image>(shape, dy, x, dweights, scratch, stream);
}

}  // namespace occam::cuda
