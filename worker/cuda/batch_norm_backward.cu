#include "worker/cuda/norm_layout.cuh"

namespace occam::cuda {
namespace {

enum class Second { none, of_all, of_every_other };

// A thread's view of the gradient: g of one vector.
template <class T, int V, NormGradient::Mask M, Second S>
struct Gradient {
  const T* a;
  const T* b;
  const T* y;
  unsigned side;  // where b is of every other row and column
  float scale[V], shift[V];

  __device__ Gradient(const T* first, const T* second, const T* output, int b_side,
                      const float* saved, const NormLayout& layout, const NormPlace& place)
      : a(first), b(second), y(output), side(static_cast<unsigned>(b_side)) {
    if constexpr (M == NormGradient::Mask::x) {
      load<V>(saved + place.channel, scale);
      load<V>(saved + layout.channels + place.channel, shift);
    }
  }
  struct Loaded {
    Packed<T, V> a, b, y;
  };
  template <class IndexOf>
  __device__ Loaded at(std::int64_t row, IndexOf index_of) const {
    const std::int64_t index = index_of(row);
    Loaded loaded;
    loaded.a = fetch<V>(a + index);
    if constexpr (S == Second::of_all) loaded.b = fetch<V>(b + index);
    if constexpr (S == Second::of_every_other)
      loaded.b = of_every_other(static_cast<unsigned>(row), index_of);
    if constexpr (M == NormGradient::Mask::y) loaded.y = fetch<V>(y + index);
    return loaded;
  }
  // As sides are even, so is a column whose pixel is, and a row of an image whose row of all is.
  template <class IndexOf>
  __device__ Packed<T, V> of_every_other(unsigned pixel, IndexOf index_of) const {
    const unsigned row = pixel / side;
    if ((pixel | row) & 1) return {};
    return fetch<V>(b + index_of((pixel - row / 2 * side) / 2));
  }
  __device__ void of(const Loaded& loaded, const float (&x)[V], float (&g)[V]) const {
    unpack(loaded.a, g);
    if constexpr (S != Second::none) {
      float more[V];
      unpack(loaded.b, more);
#pragma unroll
      for (int i = 0; i < V; ++i) g[i] += more[i];
    }
    if constexpr (M == NormGradient::Mask::x) {
#pragma unroll
      for (int i = 0; i < V; ++i)
        if (!(fmaf(x[i], scale[i], shift[i]) > 0)) g[i] = 0;
    }
    if constexpr (M == NormGradient::Mask::y) {
      float value[V];
      unpack(loaded.y, value);
#pragma unroll
      for (int i = 0; i < V; ++i)
        if (!(value[i] > 0)) g[i] = 0;
    }
  }
};

// Calls use(index of the vector, its x, its g) for a thread's rows.
template <class T, int V, class G, class Use>
__device__ inline void for_gradients(const G& gradient, const T* x, const NormLayout& layout,
                                     const NormPlace& place, Use use) {
  struct Loaded {
    Packed<T, V> x;
    typename G::Loaded gradient;
  };
  const auto index_of = [&](std::int64_t row) { return row * layout.channels + place.channel; };
  const auto both_of = [&](std::int64_t row) {
    return Loaded{fetch<V>(x + index_of(row)), gradient.at(row, index_of)};
  };
  for_rows<4>(place, both_of, [&](std::int64_t row, const Loaded& loaded) {
    float value[V], g[V];
    unpack(loaded.x, value);
    gradient.of(loaded.gradient, value, g);
    use(index_of(row), value, g);
  });
}

template <class T, int V, class G>
__device__ inline void sum_gradient(const G& gradient, const T* x, const float* saved, T* g_out,
                                    const NormLayout& layout, const NormPlace& place,
                                    float (&sum)[V], float (&product)[V]) {
  float mean[V];
  load<V>(saved + 2 * layout.channels + place.channel, mean);
  for_gradients<T, V>(gradient, x, layout, place,
                      [&](std::int64_t index, const float(&value)[V], const float(&g)[V]) {
#pragma unroll
                        for (int i = 0; i < V; ++i) {
                          sum[i] += g[i];
                          product[i] += g[i] * (value[i] - mean[i]);
                        }
                        if (g_out) store<V>(g, g_out + index);
                      });
}

template <class T, int V, class G>
__device__ inline void apply_gradient(const G& gradient, const T* x, const float* saved, T* dx,
                                      const NormLayout& layout, const NormPlace& place) {
  float of_g[V], of_x[V], constant[V];
  load<V>(saved + 4 * layout.channels + place.channel, of_g);
  load<V>(saved + 5 * layout.channels + place.channel, of_x);
  load<V>(saved + 6 * layout.channels + place.channel, constant);
  for_gradients<T, V>(gradient, x, layout, place,
                      [&](std::int64_t index, const float(&value)[V], float(&g)[V]) {
#pragma unroll
                        for (int i = 0; i < V; ++i)
                          g[i] = fmaf(g[i], of_g[i], fmaf(value[i], of_x[i], constant[i]));
                        store<V>(g, dx + index);
                      });
}

template <class T, int V, NormGradient::Mask M, Second S>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    backward_sums(NormLayout layout, const T* a, const T* b, const T* y, int side, const T* x,
                  NormGradients to, T* g_out, float* partial, unsigned* done, NormMembers members) {
  const NormPlace place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  const Gradient<T, V, M, S> gradient(a, b, y, side, to.saved, layout, place);
  float sum[V] = {}, product[V] = {};
  sum_gradient<T, V>(gradient, x, to.saved, g_out, layout, place, sum, product);
  sum_over_block<V>(sum, product, layout, place.lane, sums);
  if (!sum_over_strips<V>(layout, sums, partial, done)) return;
  const int slab = layout.lanes * V;
  finish_backward(layout.channels, layout.rows, static_cast<std::int64_t>(blockIdx.x) * slab, slab,
                  sums, to, members);
}

__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    finish_backward_of(std::int64_t rows, std::int64_t channels, const float* sums,
                       NormGradients to) {
  finish_backward(channels, rows, 0, static_cast<int>(channels), sums, to);
}

template <class T, int V, NormGradient::Mask M, Second S>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    backward_apply(NormLayout layout, const T* a, const T* b, const T* y, int side, const T* x,
                   const float* saved, T* dx) {
  const NormPlace place = place_of<V>(layout);
  const Gradient<T, V, M, S> gradient(a, b, y, side, saved, layout, place);
  apply_gradient<T, V>(gradient, x, saved, dx, layout, place);
}

template <class T, int V>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    backward_few(NormLayout layout, const T* a, const T* x, NormGradients to, T* dx) {
  const NormPlace place = place_of<V>(layout);
  __shared__ float sums[2 * kMostLanes * V];
  const Gradient<T, V, NormGradient::Mask::x, Second::none> gradient(a, nullptr, nullptr, 0,
                                                                     to.saved, layout, place);
  float sum[V] = {}, product[V] = {};
  sum_gradient<T, V>(gradient, x, to.saved, static_cast<T*>(nullptr), layout, place, sum, product);
  sum_over_block<V>(sum, product, layout, place.lane, sums);
  const int slab = layout.lanes * V;
  finish_backward(layout.channels, layout.rows, static_cast<std::int64_t>(blockIdx.x) * slab, slab,
                  sums, to);
  __syncthreads();
  apply_gradient<T, V>(gradient, x, to.saved, dx, layout, place);
}

// Calls work(integral_constant<Mask>, integral_constant<Second>).
template <class Work>
void with_gradient(const NormGradient& gradient, Work work) {
  using Mask = NormGradient::Mask;
  const auto with = [&](auto mask) {
    if (!gradient.b)
      work(mask, std::integral_constant<Second, Second::none>{});
    else if (gradient.side == 0)
      work(mask, std::integral_constant<Second, Second::of_all>{});
    else
      work(mask, std::integral_constant<Second, Second::of_every_other>{});
  };
  switch (gradient.mask) {
    case Mask::none:
      return with(std::integral_constant<Mask, Mask::none>{});
    case Mask::x:
      return with(std::integral_constant<Mask, Mask::x>{});
    case Mask::y:
      return with(std::integral_constant<Mask, Mask::y>{});
  }
}

}  // namespace

void norm_backward_sums(const NormShape& shape, const NormGradient& gradient, const void* x,
                        const NormGradients& to, void* g, void* scratch, Stream stream,
                        const NormMembers& members) {
  with_element(shape, [&]<class T, class V>(T, V) {
    with_gradient(gradient, [&]<class M, class S>(M, S) {
      const NormLayout layout = layout_of_sums<T, V::value>(shape);
      launch("norm_backward_sums", backward_sums<T, V::value, M::value, S::value>, grid(layout),
             kThreads, 0, stream, layout, static_cast<const T*>(gradient.a),
             static_cast<const T*>(gradient.b), static_cast<const T*>(gradient.y),
             static_cast<int>(gradient.side), static_cast<const T*>(x), to, static_cast<T*>(g),
             partials(scratch), norm_counters(scratch), members);
    });
  });
}

void norm_finish_backward(std::int64_t rows, std::int64_t channels, const float* sums,
                          const NormGradients& to, Stream stream) {
  launch("norm_finish_backward", finish_backward_of, 1U, kThreads, 0, stream, rows, channels, sums,
         to);
}

void norm_backward_apply(const NormShape& shape, const NormGradient& gradient, const void* x,
                         const float* saved, void* dx, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    with_gradient(gradient, [&]<class M, class S>(M, S) {
      const NormLayout layout = layout_of_rows<T, V::value>(shape);
      launch("norm_backward_apply", backward_apply<T, V::value, M::value, S::value>, grid(layout),
             kThreads, 0, stream, layout, static_cast<const T*>(gradient.a),
             static_cast<const T*>(gradient.b), static_cast<const T*>(gradient.y),
             static_cast<int>(gradient.side), static_cast<const T*>(x), saved, static_cast<T*>(dx));
    });
  });
}

void norm_backward_few(const NormShape& shape, const void* gradient, const void* x,
                       const NormGradients& to, void* dx, Stream stream) {
  with_element(shape, [&]<class T, class V>(T, V) {
    const NormLayout layout = layout_of<T, V::value>(shape, 1, 1);
    launch("norm_backward_few", backward_few<T, V::value>, grid(layout), kThreads, 0, stream,
           layout, static_cast<const T*>(gradient), static_cast<const T*>(x), to,
           static_cast<T*>(dx));
  });
}

}  // namespace occam::cuda
