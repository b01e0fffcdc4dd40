// Times the convolutions of worker/cuda/convolution.h alone, on so many multiprocessors:
//
//   bench_convolutions [CHANNELS SIDE IMAGES PROCESSORS]
//
// prints microseconds of each, the median of five rounds, and the share of the tensor cores' peak
// (4,096 operations a cycle and multiprocessor at 1.98 GHz). Without arguments: a quarter of an
// H100 at batch 32, and a whole one at batch 2048.
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

void time_all(std::int64_t channels, std::int64_t side, std::int64_t images, int processors) {
  const ConvolutionShape shape{images, side, channels, processors};
  if (!has_convolution(shape)) return;
  const std::size_t pixels = images * side * side, outs = outputs(shape),
                    weight_count = 9 * channels * outs;
  void *x = tensor(pixels * channels, 1, 127), *y = tensor(pixels * outs, 2, 127),
       *dy = tensor(pixels * outs, 3, 120), *dx = tensor(pixels * channels, 4, 120),
       *weights = tensor(weight_count, 5, 122), *dweights = tensor(weight_count, 6, 122),
       *scratch = nullptr;
  float *parts = nullptr, *saved = nullptr;
  demand(cudaMalloc(&scratch, convolution_scratch_bytes(shape)));
  demand(cudaMalloc(&parts, convolution_parts(shape) * 2 * outs * 4));
  demand(cudaMalloc(&saved, 4 * outs * 4));
  demand(cudaMemset(saved, 0, 4 * outs * 4));
  cudaStream_t stream;
  demand(cudaStreamCreate(&stream));
  const double operations = 2.0 * pixels * weight_count;
  const int times = std::max(3, static_cast<int>(3e11 / operations));
  const auto report = [&](const char* name, const std::function<void(cudaStream_t)>& work) {
    const double taken = microseconds(work, stream, times);
    std::printf("%lld channels, %lld x %lld x %lld, %d processors: %-24s %8.1f us, %.2f of peak\n",
                static_cast<long long>(channels), static_cast<long long>(images),
                static_cast<long long>(side), static_cast<long long>(side), processors, name, taken,
                operations / taken / 1e-6 / (4096 * 1.98e9 * processors));
    std::fflush(stdout);
  };
  report("output", [&](cudaStream_t s) { convolve(shape, x, weights, y, {saved, parts}, s); });
  if (channels > 8)
    report("input", [&](cudaStream_t s) { convolve_backward_input(shape, dy, weights, dx, s); });
  report("weights",
         [&](cudaStream_t s) { convolve_backward_weights(shape, dy, x, dweights, scratch, s); });
  for (void* one : {x, y, dy, dx, weights, dweights, scratch, static_cast<void*>(parts),
                    static_cast<void*>(saved)})
    demand(cudaFree(one));
}

}  // namespace

int main(int count, char** words) {
  if (count == 5) {
    time_all(std::atoi(words[1]), std::atoi(words[2]), std::atoi(words[3]), std::atoi(words[4]));
    return 0;
  }
  for (const int whole : {0, 1}) {
    time_all(8, 32, whole ? 4096 : 64, whole ? 132 : 33);
    time_all(64, 32, whole ? 4096 : 64, whole ? 132 : 33);
    time_all(128, 16, whole ? 4096 : 64, whole ? 132 : 33);
  }
  return 0;
}
