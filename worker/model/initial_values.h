#pragma once

#include <cmath>
#include <numbers>

#include "worker/random.h"

namespace occam {

enum class Filling { zeros, ones, variance_scaling, glorot_uniform };

// How one parameter is drawn, value by value; shared by the CPU code and the CUDA kernel. Keras:
// VarianceScaling(2, fan_out, truncated normal) has its deviation corrected for the truncation by
// 0.87962566103423978; Glorot uniform has the limit sqrt(6 / (fan_in + fan_out)).
struct InitialValues {
  Filling filling;
  std::int64_t outputs, inputs, receptive;  // of a vector: its length, 1, 1
  std::uint32_t name[2];  // hash of the parameter's name: it draws its own numbers

  OCCAM_SHARED std::int64_t count() const { return outputs * inputs * receptive; }

  // The value at (output, input, place in the receptive field), in that order in `index`.
  OCCAM_SHARED float at(std::int64_t index, std::int64_t seed) const {
    const auto fan_out = static_cast<double>(outputs * receptive);
    const auto fan_in = static_cast<double>(inputs * receptive);
    const Draws draws(seed, Purpose::initialisation, static_cast<std::uint32_t>(index), name[0],
                      name[1]);
    switch (filling) {
      case Filling::zeros:
        return 0;
      case Filling::ones:
        return 1;
      case Filling::variance_scaling:
        return static_cast<float>(sqrt(2 / fan_out) / 0.87962566103423978 *
                                  truncated_normal(draws));
      case Filling::glorot_uniform:
        return static_cast<float>(sqrt(6 / (fan_in + fan_out)) *
                                  (2 * static_cast<double>(draws.uniform(0)) - 1));
    }
    return 0;
  }

  // Weights lie as (output, place, input), which convolutions over channels-last images read
  // straight; this is the `index` of what lies at `position`.
  OCCAM_SHARED std::int64_t index_of(std::int64_t position) const {
    const std::int64_t output = position / (receptive * inputs);
    const std::int64_t place = position / inputs % receptive;
    return (output * inputs + position % inputs) * receptive + place;
  }

 private:
  // A standard normal variable within two deviations: Box-Muller, drawn again where it falls
  // outside.
  OCCAM_SHARED static double truncated_normal(const Draws& draws) {
    for (std::uint32_t attempt = 0;; ++attempt) {
      const double u = 1.0 - static_cast<double>(draws.uniform(2 * attempt));  // (0, 1]
      const double v = static_cast<double>(draws.uniform(2 * attempt + 1));
      const double z = sqrt(-2 * log(u)) * cos(2 * std::numbers::pi * v);
      if (z >= -2 && z <= 2) return z;
    }
  }
};

}  // namespace occam
