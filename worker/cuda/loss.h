#pragma once

#include <cstdint>

#include "worker/cuda/device.h"

// The losses of worker/train/losses.h with their gradients, in few launches. `losses` and `hits`
// get one value a row; their means are the loss and the accuracy.

namespace occam::cuda {

struct InfoNce {
  std::int64_t rows;   // B: anchors; as many others follow
  std::int64_t width;  // of the embedding
  std::int64_t group;  // rows that are compared with each other: negatives + 1, or B
  float temperature;
  Element element;  // of embeddings and gradient
};
constexpr std::int64_t kInfoNceMostRows = 256;
constexpr std::int64_t kInfoNceMostWidth = 1024;

// Floats of work space.
std::int64_t info_nce_scratch(const InfoNce& shape);

// `embeddings` and `gradient`: 2B x width. Of the most rows and width at most.
void info_nce(const InfoNce& shape, const void* embeddings, float* scratch, void* gradient,
              float* losses, float* hits, Stream stream);

// Its parts for a batch of any size, whose products, between them, are a library's. Each row over
// its norm (1e-12 at least), and the inverse of that:
void unit_rows(std::int64_t rows, std::int64_t width, Element element, const void* from,
               float* units, float* inverse, Stream stream);
// The anchors' cosines with their group, rows x group, become the loss' slopes by them.
void info_nce_slopes(const InfoNce& shape, float* cosines, float* losses, float* hits,
                     Stream stream);
// The gradient of the rows from that of their units.
void through_units(std::int64_t rows, std::int64_t width, Element element, const float* units,
                   const float* inverse, const float* of_units, void* gradient, Stream stream);

// `logits` and `gradient`: rows x 4, rows of one rotation after the other.
void rotation_prediction(std::int64_t rows, Element element, const void* logits, void* gradient,
                         float* losses, float* hits, Stream stream);

}  // namespace occam::cuda
