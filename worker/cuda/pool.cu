#include "worker/cuda/pool.h"

#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"

namespace occam::cuda {
namespace {

constexpr int kThreads = 256;

// A thread takes one vector of an image's channels.
template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    mean_of_pixels(std::int64_t vectors, int pixels, int of_channels, const T* x, T* mean) {
  const std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= vectors) return;
  const std::int64_t image = at / of_channels, vector = at % of_channels;
  const T* const from = x + (image * pixels * of_channels + vector) * V;
  float sum[V] = {};
#pragma unroll 4
  for (int pixel = 0; pixel < pixels; ++pixel) {
    float value[V];
    load<V>(from + std::int64_t{pixel} * of_channels * V, value);
#pragma unroll
    for (int i = 0; i < V; ++i) sum[i] += value[i];
  }
#pragma unroll
  for (int i = 0; i < V; ++i) sum[i] /= static_cast<float>(pixels);
  store<V>(sum, mean + at * V);
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads)
    over_pixels(std::int64_t vectors, int pixels, int of_channels, const T* of_mean, T* of_x) {
  const std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (at >= vectors) return;
  const std::int64_t image = at / of_channels, vector = at % of_channels;
  float share[V];
  load<V>(of_mean + at * V, share);
#pragma unroll
  for (int i = 0; i < V; ++i) share[i] /= static_cast<float>(pixels);
  T* const to = of_x + (image * pixels * of_channels + vector) * V;
  for (int pixel = 0; pixel < pixels; ++pixel)
    store<V>(share, to + std::int64_t{pixel} * of_channels * V);
}

// Calls work(T{}, integral_constant<V>, vectors in all, vectors an image's pixel).
template <class Work>
void with_vectors(const PoolShape& shape, Work work) {
  with_element(shape.element, [&]<class T>(T element) {
    constexpr int kWide = kVector<T>;
    const std::int64_t of_channels = shape.channels / kWide;
    work(element, std::integral_constant<int, kWide>{}, shape.images * of_channels,
         static_cast<int>(of_channels));
  });
}

}  // namespace

void pool(const PoolShape& shape, const void* x, void* mean, Stream stream) {
  with_vectors(shape, [&]<class T, class V>(T, V, std::int64_t vectors, int of_channels) {
    launch("pool", mean_of_pixels<T, V::value>, blocks_of(vectors, kThreads), kThreads, 0, stream,
           vectors, shape.pixels, of_channels, static_cast<const T*>(x), static_cast<T*>(mean));
  });
}

void pool_backward(const PoolShape& shape, const void* of_mean, void* of_x, Stream stream) {
  with_vectors(shape, [&]<class T, class V>(T, V, std::int64_t vectors, int of_channels) {
    launch("pool_backward", over_pixels<T, V::value>, blocks_of(vectors, kThreads), kThreads, 0,
           stream, vectors, shape.pixels, of_channels, static_cast<const T*>(of_mean),
           static_cast<T*>(of_x));
  });
}

}  // namespace occam::cuda
