#pragma once

#include <cuda_bf16.h>

#include <cstdint>

// The tensor cores' instructions on 16 x 16 blocks of bfloat16, and copies into shared memory that
// run beside the arithmetic. A warp does them together.
//
// Of a matrix of 8 x 8 a lane holds two neighbours: row lane / 4, columns 2 (lane % 4) and the
// next.

namespace occam::cuda {

// Without nvcc, tests/kernels/simt.h has these for a CPU.
#ifdef __CUDACC__

// Places in shared memory.
using Shared = std::uint32_t;
__device__ inline Shared shared_memory() {
  extern __shared__ __align__(1024) unsigned char memory[];
  return static_cast<Shared>(__cvta_generic_to_shared(memory));
}

// Four matrices of 8 x 8, whose rows of 16 bytes lie where the lanes say: lanes 0 to 7 for the
// first, 8 to 15 for the second, and so on.
__device__ inline void load_matrices(Shared row, std::uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row));
}
__device__ inline void load_transposed(Shared row, std::uint32_t (&to)[4]) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(row));
}

// sum += a b, of 16 x 16 by 16 x 8. a: rows 0 to 7 and 8 to 15 of columns 0 to 7, then of columns 8
// to 15; b: rows 0 to 7, then 8 to 15, each transposed; sum: rows 0 to 7, then 8 to 15.
__device__ inline void multiply_add(const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                                    float (&sum)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Sixteen bytes into shared memory, or zeros instead. They are there after copies_done and a
// barrier.
__device__ inline void copy_16(Shared to, const void* from, bool zeros) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(zeros ? 0 : 16));
}
__device__ inline void end_copies() { asm volatile("cp.async.commit_group;"); }
// All of this thread's copies but those since the last kPending calls of end_copies.
template <int kPending>
__device__ inline void copies_done() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

__device__ inline void store_4(Shared to, std::uint32_t value) {
  asm volatile("st.shared.b32 [%0], %1;" ::"r"(to), "r"(value) : "memory");
}
__device__ inline std::uint32_t load_4(Shared from) {
  std::uint32_t value;
  asm volatile("ld.shared.b32 %0, [%1];" : "=r"(value) : "r"(from));
  return value;
}

#endif

// Where the sixteen bytes `chunk` of a row of 128 lie, rows one behind the other from a multiple of
// 1,024 on: eight rows are read at once without two in one bank. It is the order of matrix_at.
__device__ inline int place_128(int row, int chunk) {
  return row * 128 + ((chunk ^ (row & 7)) << 4);
}

// Two floats as neighbours of a matrix.
__device__ inline std::uint32_t pack(float first, float second) {
  const __nv_bfloat162 both = __floats2bfloat162_rn(first, second);
  std::uint32_t bits;
  memcpy(&bits, &both, sizeof bits);
  return bits;
}

}  // namespace occam::cuda
