#include "worker/cuda/augment.h"

#include <algorithm>

#include "worker/cuda/element.cuh"
#include "worker/cuda/launch.cuh"

namespace occam::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMostRadius = 16;

// One block makes one view of one image, in shared memory: `channels` planes of side x side floats.
struct Canvas {
  float* values;
  int side, channels;
  __device__ int pixels() const { return side * side; }
  __device__ float* plane(int i) const { return values + i * side * side; }
};

// Sums a float of every thread; all threads get it.
__device__ float block_sum(float value) {
  __shared__ float warps[kThreads / 32];
#pragma unroll
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(~0U, value, offset);
  __syncthreads();  // a sum before this one may still be read
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  float sum = 0;
#pragma unroll
  for (int w = 0; w < kThreads / 32; ++w) sum += warps[w];
  return sum;
}

struct Source {
  const std::uint8_t* bytes;
  SquareTransform transform;
  int side;
  __device__ float at(int plane, int y, int x) const {
    int from_y, from_x;
    source_of(transform, side, y, x, from_y, from_x);
    return static_cast<float>(bytes[(plane * side + from_y) * side + from_x]) / 255.0F;
  }
};

// A view's draws, made once for all threads of its block.
struct Drawn {
  const std::uint32_t* bits;
  __device__ float uniform(int i) const { return uniform_of(bits[i]); }
  __device__ int below(int i, int count) const {
    return static_cast<int>(below_of(bits[i], static_cast<std::uint32_t>(count)));
  }
};

struct Crop {
  int top, left, side;
};
__device__ Crop draw_crop(const Drawn& draws, int least, int side) {
  Crop crop;
  crop.side = least + draws.below(draw_crop_side, side - least + 1);
  crop.top = draws.below(draw_crop_y, side - crop.side + 1);
  crop.left = draws.below(draw_crop_x, side - crop.side + 1);
  return crop;
}

// `from` reads (plane, y, x).
template <class From>
__device__ void crop_and_resize(const From& from, const Crop& crop, const Canvas& out) {
  for (int pixel = threadIdx.x; pixel < out.pixels(); pixel += kThreads) {
    const Tap y = bilinear_tap(pixel / out.side, crop.side, out.side);
    const Tap x = bilinear_tap(pixel % out.side, crop.side, out.side);
    for (int p = 0; p < out.channels; ++p) {
      const float upper_left = from(p, crop.top + y.low, crop.left + x.low);
      const float upper_right = from(p, crop.top + y.low, crop.left + x.high);
      const float lower_left = from(p, crop.top + y.high, crop.left + x.low);
      const float lower_right = from(p, crop.top + y.high, crop.left + x.high);
      const float above = upper_left + (upper_right - upper_left) * x.weight;
      const float below = lower_left + (lower_right - lower_left) * x.weight;
      out.plane(p)[pixel] = above + (below - above) * y.weight;
    }
  }
}

template <class Change>
__device__ void change_pixels(const Canvas& image, Change change) {
  for (int i = threadIdx.x; i < image.pixels() * image.channels; i += kThreads)
    image.values[i] = change(image.values[i]);
}

template <class Change>
__device__ void change_colours(const Canvas& image, Change change) {
  if (image.channels == 1) return;
  for (int i = threadIdx.x; i < image.pixels(); i += kThreads) {
    const Rgb made = change(Rgb{image.plane(0)[i], image.plane(1)[i], image.plane(2)[i]});
    image.plane(0)[i] = made.r;
    image.plane(1)[i] = made.g;
    image.plane(2)[i] = made.b;
  }
}

__device__ void flip(const Canvas& image) {
  const int half = image.side / 2;
  for (int i = threadIdx.x; i < image.channels * image.side * half; i += kThreads) {
    float* row = image.values + i / half * image.side;
    const float kept = row[i % half];
    row[i % half] = row[image.side - 1 - i % half];
    row[image.side - 1 - i % half] = kept;
  }
}

__device__ void flip_upside_down(const Canvas& image) {
  const int half = image.side / 2 * image.side;  // pixels of the upper rows
  for (int i = threadIdx.x; i < image.channels * half; i += kThreads) {
    float* const plane = image.plane(i / half);
    const int upper = i % half, x = upper % image.side;
    const int lower = (image.side - 1 - upper / image.side) * image.side + x;
    const float kept = plane[upper];
    plane[upper] = plane[lower];
    plane[lower] = kept;
  }
}

// Each pixel of `out` is the one of `from` that place(y, x, from_y, from_x) says.
template <class Place>
__device__ void take_from(const Canvas& from, const Canvas& out, Place place) {
  for (int pixel = threadIdx.x; pixel < out.pixels(); pixel += kThreads) {
    int from_y, from_x;
    place(pixel / out.side, pixel % out.side, from_y, from_x);
    for (int p = 0; p < out.channels; ++p)
      out.plane(p)[pixel] = from.plane(p)[from_y * out.side + from_x];
  }
}

__device__ void stretch_contrast(const Canvas& image, float factor) {
  for (int p = 0; p < image.channels; ++p) {
    float* plane = image.plane(p);
    float sum = 0;
    for (int i = threadIdx.x; i < image.pixels(); i += kThreads) sum += plane[i];
    const float mean = block_sum(sum) / static_cast<float>(image.pixels());
    for (int i = threadIdx.x; i < image.pixels(); i += kThreads)
      plane[i] = (plane[i] - mean) * factor + mean;
  }
}

__device__ void jitter(const Canvas& image, const AugmentPlan::Operation& amounts,
                       const std::uint8_t (&of_view)[4], const Drawn& draws) {
  int order[4];
  for (int i = 0; i < 4; ++i) order[i] = amounts.order_per_image ? i : of_view[i];
  for (int i = 3; amounts.order_per_image && i > 0; --i) {
    const int j = draws.below(draw_jitter_order + i - 1, i + 1), kept = order[i];
    order[i] = order[j];
    order[j] = kept;
  }
  for (int k = 0; k < 4; ++k) {
    switch (order[k]) {
      case 0:
        if (amounts.brightness > 0) {
          const float delta = symmetric(draws.uniform(draw_brightness), amounts.brightness);
          change_pixels(image, [&](float value) { return value + delta; });
        }
        break;
      case 1:
        if (amounts.contrast > 0)
          stretch_contrast(image, 1 + symmetric(draws.uniform(draw_contrast), amounts.contrast));
        break;
      case 2:
        if (amounts.saturation > 0) {
          const float factor = 1 + symmetric(draws.uniform(draw_saturation), amounts.saturation);
          change_colours(image, [&](const Rgb& c) { return scale_saturation(c, factor); });
        }
        break;
      case 3:
        if (amounts.hue > 0) {
          const float turns = symmetric(draws.uniform(draw_hue), amounts.hue);
          change_colours(image, [&](const Rgb& c) { return shift_hue(c, turns); });
        }
        break;
    }
    __syncthreads();
  }
}

__device__ void to_gray(const Canvas& image) {
  const int last = image.channels - 1;
  for (int i = threadIdx.x; i < image.pixels(); i += kThreads) {
    const float gray = luma(Rgb{image.plane(0)[i], image.plane(last / 2)[i], image.plane(last)[i]});
    for (int p = 0; p < image.channels; ++p) image.plane(p)[i] = gray;
  }
}

__device__ void blur(const Canvas& image, const Canvas& other, float sigma) {
  const int radius = min(image.side / 10 / 2, kMostRadius);
  float kernel[2 * kMostRadius + 1];
  float total = 0;
  for (int i = -radius; i <= radius; ++i) {
    kernel[i + radius] = expf(-static_cast<float>(i * i) / (2 * sigma * sigma));
    total += kernel[i + radius];
  }
  for (int i = 0; i <= 2 * radius; ++i) kernel[i] /= total;
  const auto pass = [&](const Canvas& from, const Canvas& to, bool along_rows) {
    for (int i = threadIdx.x; i < from.channels * from.pixels(); i += kThreads) {
      const int y = i / from.side % from.side;
      const int x = i % from.side;
      float sum = 0;
      for (int k = -radius; k <= radius; ++k) {
        const int at = (along_rows ? x : y) + k;
        if (at >= 0 && at < from.side)
          sum += kernel[k + radius] * from.values[i + k * (along_rows ? 1 : from.side)];
      }
      to.values[i] = sum;
    }
    __syncthreads();
  };
  pass(image, other, true);
  pass(other, image, false);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    make_views(AugmentPlan plan, const StepState* state, T* out) {
  float* const memory = shared_floats();
  const int view = blockIdx.x / plan.batch;
  const int place = blockIdx.x % plan.batch;
  const std::int32_t row = state->order[state->index * plan.step_rows + plan.first + place];
  const int floats = plan.channels * plan.side * plan.side;
  const Source source{state->images + static_cast<std::int64_t>(row % state->image_count) * floats,
                      plan.transforms[row / state->image_count], plan.side};
  const auto from_bytes = [&](int p, int y, int x) { return source.at(p, y, x); };
  __shared__ std::uint32_t bits[kAugmentationDraws];
  if (threadIdx.x < kAugmentationDraws)
    bits[threadIdx.x] =
        Draws(state->seed, Purpose::augmentation, static_cast<std::uint32_t>(state->epoch),
              static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(view))
            .bits(threadIdx.x);
  __syncthreads();
  const Drawn draws{bits};
  Canvas image{memory, plan.side, plan.channels};
  Canvas other{memory + floats, plan.side, plan.channels};
  const auto swap_canvases = [&] {
    const Canvas kept = image;
    image = other;
    other = kept;
  };

  // A crop that comes first reads the bytes.
  int first = 0;
  if (plan.operation_count > 0 && plan.operations[0].kind == AugmentPlan::Operation::Kind::crop) {
    crop_and_resize(from_bytes, draw_crop(draws, plan.operations[0].least_side, plan.side), image);
    first = 1;
  } else {
    for (int i = threadIdx.x; i < floats; i += kThreads)
      image.values[i] = source.at(i / image.pixels(), i / plan.side % plan.side, i % plan.side);
  }
  __syncthreads();
  for (int k = first; k < plan.operation_count; ++k) {
    const AugmentPlan::Operation& operation = plan.operations[k];
    switch (operation.kind) {
      case AugmentPlan::Operation::Kind::crop: {
        const auto from = [&](int p, int y, int x) { return image.plane(p)[y * plan.side + x]; };
        crop_and_resize(from, draw_crop(draws, operation.least_side, plan.side), other);
        swap_canvases();
        break;
      }
      case AugmentPlan::Operation::Kind::hflip:
        if (draws.uniform(draw_flip) < 0.5F) flip(image);
        break;
      case AugmentPlan::Operation::Kind::jitter:
        jitter(image, operation, state->jitter_order[view % 4], draws);
        break;
      case AugmentPlan::Operation::Kind::gray:
        if (draws.uniform(draw_gray) < operation.amount) to_gray(image);
        break;
      case AugmentPlan::Operation::Kind::blur:
        if (draws.uniform(draw_blur) < operation.amount)
          blur(image, other, 0.1F + 1.9F * draws.uniform(draw_blur_sigma));
        break;
      case AugmentPlan::Operation::Kind::vflip:
        if (draws.uniform(draw_vflip) < 0.5F) flip_upside_down(image);
        break;
      case AugmentPlan::Operation::Kind::shift: {
        const int most = operation.most_shift;
        const int down = draws.below(draw_shift_y, 2 * most + 1) - most;
        const int right = draws.below(draw_shift_x, 2 * most + 1) - most;
        take_from(image, other, [&](int y, int x, int& from_y, int& from_x) {
          from_y = reflected(y + down, plan.side);
          from_x = reflected(x + right, plan.side);
        });
        swap_canvases();
        break;
      }
      case AugmentPlan::Operation::Kind::rotate: {
        const SquareTransform turn{operation.quarters, false, false};
        take_from(image, other, [&](int y, int x, int& from_y, int& from_x) {
          source_of(turn, plan.side, y, x, from_y, from_x);
        });
        swap_canvases();
        break;
      }
    }
    __syncthreads();
  }

  const SquareTransform turn{plan.turns ? view : 0, false, false};
  T* to = out + static_cast<std::int64_t>(blockIdx.x) * image.pixels() * kInputChannels;
  for (int pixel = threadIdx.x; pixel < image.pixels(); pixel += kThreads) {
    int from_y, from_x;
    source_of(turn, plan.side, pixel / plan.side, pixel % plan.side, from_y, from_x);
    const int from = from_y * plan.side + from_x;
    float values[kInputChannels] = {};
    for (int p = 0; p < 3; ++p) values[p] = image.plane(image.channels == 1 ? 0 : p)[from];
    store<kInputChannels>(values, to + static_cast<std::int64_t>(pixel) * kInputChannels);
  }
}

bool needs_two(const AugmentPlan& plan) {
  for (int k = 0; k < plan.operation_count; ++k) {
    using Kind = AugmentPlan::Operation::Kind;
    const Kind kind = plan.operations[k].kind;
    if (kind == Kind::blur || kind == Kind::shift || kind == Kind::rotate ||
        (k > 0 && kind == Kind::crop))
      return true;
  }
  return false;
}

}  // namespace

int shared_bytes(const AugmentPlan& plan) {
  return plan.channels * plan.side * plan.side * 4 * (needs_two(plan) ? 2 : 1);
}

void augment(const AugmentPlan& plan, const StepState* state, void* out, Element element,
             Stream stream) {
  with_element(element, [&]<class T>(T) {
    launch("augment", make_views<T>, static_cast<unsigned>(plan.views * plan.batch), kThreads,
           shared_bytes(plan), stream, plan, state, static_cast<T*>(out));
  });
}

}  // namespace occam::cuda
