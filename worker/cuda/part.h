#pragma once

#include "worker/cuda/device.h"

namespace occam::cuda {

// One of the parts that a GPU's multiprocessors are divided into: equal ones in steps of eight. The
// first also has what that leaves, 36 of an H100's 132 where the other quarters have 32, unless it
// is more than a third of a part.
struct Part {
  int index = 0, of = 1;
  bool operator==(const Part&) const = default;
};

// A new stream, with the least priority, whose kernels and graphs run on that part of the current
// device alone; of 1 is the whole device. Throws Error where the driver cannot divide so. The
// stream and its part are never taken back.
Stream part_stream(Part part);

// How many multiprocessors the stream's kernels have.
int processors(Stream stream);

}  // namespace occam::cuda
