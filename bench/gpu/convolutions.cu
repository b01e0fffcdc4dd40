// Times the convolutions of worker/cuda/convolution.h alone, on so many multiprocessors:
//
//   bench_convolutions [CHANNELS SIDE IMAGES PROCESSORS [OUTPUTS STRIDE KERNEL]]
//
// prints microseconds of each, the median of five rounds, and the share of the tensor cores' peak
// (4,096 operations a cycle and multiprocessor at 1.98 GHz). Without arguments: a residual
// network's on a quarter of an H100 at batch 32, and on a whole one at batch 2048.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "worker/cuda/convolution.h"

namespace {

using namespace occam::cuda;

void demand(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s\n", cudaGetErrorString(error));
  std::exit(1);
}

// Values of a wide spread of bits: what they are decides how much power a product takes.
__global__ void fill(unsigned short* values, std::size_t count, unsigned seed, unsigned exponent) {
  for (std::size_t i = blockIdx.x * blockDim.x + threadIdx.x; i < count;
       i += gridDim.x * blockDim.x) {
    unsigned bits = static_cast<unsigned>(i) * 2654435761U + seed;
    bits ^= bits >> 15;
    bits *= 2246822519U;
    bits ^= bits >> 13;
    values[i] = static_cast<unsigned short>((bits & 0x8000) | ((exponent - (bits >> 16 & 3)) << 7) |
                                            (bits & 0x7f));
  }
}

void* tensor(std::size_t values, unsigned seed, unsigned exponent) {
  void* place = nullptr;
  demand(cudaMalloc(&place, values * 2));
  fill<<<1024, 256>>>(static_cast<unsigned short*>(place), values, seed, exponent);
  return place;
}

double microseconds(const std::function<void(cudaStream_t)>& work, cudaStream_t stream, int times) {
  cudaEvent_t begin, end;
  demand(cudaEventCreate(&begin));
  demand(cudaEventCreate(&end));
  std::vector<float> rounds;
  for (int round = 0; round < 6; ++round) {
    demand(cudaEventRecord(begin, stream));
    for (int i = 0; i < times; ++i) work(stream);
    demand(cudaEventRecord(end, stream));
    demand(cudaEventSynchronize(end));
    float milliseconds = 0;
    demand(cudaEventElapsedTime(&milliseconds, begin, end));
    if (round > 0) rounds.push_back(milliseconds);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds[2] * 1000 / times;
}

void time_all(const ConvolutionShape& shape) {
  if (!has_convolution(shape)) return;
  const std::int64_t channels = shape.channels, outs = shape.outputs;
  const std::size_t pixels = shape.images * shape.side * shape.side,
                    made = pixels / shape.stride / shape.stride,
                    weight_count = shifts_of(shape) * channels * outs;
  void *x = tensor(pixels * channels, 1, 127), *y = tensor(made * outs, 2, 127),
       *dy = tensor(made * outs, 3, 120), *dx = tensor(pixels * channels, 4, 120),
       *weights = tensor(weight_count, 5, 122), *dweights = tensor(weight_count, 6, 122),
       *scratch = nullptr;
  float *parts = nullptr, *saved = nullptr;
  unsigned* done = nullptr;
  if (has_weight_gradient(shape)) demand(cudaMalloc(&scratch, convolution_scratch_bytes(shape)));
  // For the norm behind the output, and for the one before the input.
  const std::int64_t most = std::max(channels, outs);
  demand(cudaMalloc(&parts, shape.processors * 2 * most * 4));
  // What a norm keeps, then its four parameters, or gamma and the gradients.
  demand(cudaMalloc(&saved, (kNormSaved + 4) * most * 4));
  demand(cudaMemset(saved, 0, (kNormSaved + 4) * most * 4));
  demand(cudaMalloc(&done, most * 4));
  demand(cudaMemset(done, 0, most * 4));
  float* const own = saved + kNormSaved * most;
  // A gamma of 0.75: by the scale that the outputs' runs leave, the norm before lets half through.
  demand(cudaMemset(own, 0x3f, most * 4));
  const NormWorkSpace room{parts, done};
  const NormBehind behind{{own, own + most, own + 2 * most, own + 3 * most}, saved, room};
  NormBefore before;
  // Where a network has a norm before it whose sums it takes.
  if (shape.stride == 1) before = {x, {own, saved, own + most, own + 2 * most}, room};
  cudaStream_t stream;
  demand(cudaStreamCreate(&stream));
  const double operations = 2.0 * made * weight_count;
  const int times = std::max(3, static_cast<int>(3e11 / operations));
  const auto report = [&](const char* name, const std::function<void(cudaStream_t)>& work) {
    const double taken = microseconds(work, stream, times);
    std::printf(
        "%lld x %lld x %lld x %lld to %lld by %d x %d / %d, %d processors: %-8s %8.1f us, %.2f of "
        "peak\n",
        static_cast<long long>(shape.images), static_cast<long long>(shape.side),
        static_cast<long long>(shape.side), static_cast<long long>(channels),
        static_cast<long long>(outs), shape.kernel, shape.kernel, shape.stride, shape.processors,
        name, taken, operations / taken / 1e-6 / (4096 * 1.98e9 * shape.processors));
    std::fflush(stdout);
  };
  report("output", [&](cudaStream_t s) { convolve(shape, x, weights, y, behind, s); });
  if (channels > 8)
    report("input",
           [&](cudaStream_t s) { convolve_backward_input(shape, dy, weights, dx, before, s); });
  if (has_weight_gradient(shape))
    report("weights",
           [&](cudaStream_t s) { convolve_backward_weights(shape, dy, x, dweights, scratch, s); });
  for (void* one : {x, y, dy, dx, weights, dweights, scratch, static_cast<void*>(parts),
                    static_cast<void*>(saved), static_cast<void*>(done)})
    demand(cudaFree(one));
}

}  // namespace

int main(int count, char** words) {
  const auto given = [&](int i) { return std::atoi(words[i]); };
  if (count == 5 || count == 8) {
    const int outs = count == 8 ? given(5) : given(1) == 8 ? 64 : given(1);
    const int stride = count == 8 ? given(6) : 1, kernel = count == 8 ? given(7) : 3;
    time_all({given(3), given(2), given(1), outs, stride, given(4), kernel});
    return 0;
  }
  for (const bool whole : {false, true}) {
    const int images = whole ? 4096 : 64, processors = whole ? 132 : 32;
    for (const ConvolutionShape& shape : {ConvolutionShape{images, 32, 8, 64},
                                          {images, 32, 64, 64},
                                          {images, 32, 64, 128, 2},
                                          {images, 16, 128, 128},
                                          {images, 16, 128, 256, 2},
                                          {images, 8, 256, 256},
                                          {images, 8, 256, 512, 2},
                                          {images, 4, 512, 512},
                                          {images, 32, 64, 128, 2, 0, 1},
                                          {images, 16, 128, 256, 2, 0, 1},
                                          {images, 8, 256, 512, 2, 0, 1}}) {
      ConvolutionShape one = shape;
      one.processors = processors;
      time_all(one);
    }
  }
  return 0;
}
