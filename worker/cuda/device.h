#pragma once

struct CUstream_st;  // what cudaStream_t points to, so that headers need no CUDA

namespace occam::cuda {

using Stream = CUstream_st*;

// What the activations and the network's copy of the weights are stored as. Arithmetic is float32.
enum class Element { float32, bfloat16 };
inline int bytes(Element element) { return element == Element::float32 ? 4 : 2; }

// Every function of this folder puts its kernels on the stream and returns; all may be captured in
// a graph. Pointers are of device memory. A launch that the driver refuses throws occam::Error.
void check_launch(const char* what);

}  // namespace occam::cuda
