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

// For the 128 threads of one group alone; numbers from 1 on, a group being four warps.
__device__ inline void wait_for_group(int number) {
  asm volatile("bar.sync %0, 128;" ::"r"(number) : "memory");
}

// Hopper's tensor cores take a matrix from shared memory by themselves, for four warps at once.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
constexpr bool kHasGroups = true;

// Says where a matrix of 64 bfloat16 a row lies. Of 128 consecutive bytes at a multiple r of 128,
// the sixteen bytes c are in the place of c xor r % 8.
__device__ inline std::uint64_t matrix_at(Shared at) {
  constexpr std::uint64_t kEightRows = 1024 >> 4, kSwizzled = 1;
  return (at & 0x3ffff) >> 4 | std::uint64_t{1} << 16 | kEightRows << 32 | kSwizzled << 62;
}
// sum += a b, or = a b, of 64 x 16 by 16 x 64: each warp brings 16 rows as for multiply_add, and
// sum is eight of its sums. b is 16 rows from matrix_at on, or, kTransposed, 16 columns of 64 rows.
// Not done before groups_done.
template <bool kTransposed>
__device__ inline void multiply_add_group(const std::uint32_t (&a)[4], std::uint64_t b, bool adds,
                                          float (&sum)[8][4]) {
  float(&d)[8][4] = sum;
  asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %37, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, "
      "%20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, {%32, %33, %34, %35}, %36, p, "
      "1, 1, %38;}"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)),
        "n"(kTransposed ? 0 : 1));
}
// sum += a b, or = a b, of 64 x 16 by 16 x 136, as above: b is 16 columns of 136 rows, and a warp's
// sum is 17 of multiply_add's.
__device__ inline void multiply_add_136(const std::uint32_t (&a)[4], std::uint64_t b, bool adds,
                                        float (&sum)[17][4]) {
  float(&d)[17][4] = sum;
  asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %73, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n136k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, "
      "%19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, "
      "%36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, "
      "%53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, %66, %67}, {%68, %69, %70, "
      "%71}, %72, p, 1, 1, 0;}"
      : "+f"(d[0][0]), "+f"(d[0][1]), "+f"(d[0][2]), "+f"(d[0][3]), "+f"(d[1][0]), "+f"(d[1][1]),
        "+f"(d[1][2]), "+f"(d[1][3]), "+f"(d[2][0]), "+f"(d[2][1]), "+f"(d[2][2]), "+f"(d[2][3]),
        "+f"(d[3][0]), "+f"(d[3][1]), "+f"(d[3][2]), "+f"(d[3][3]), "+f"(d[4][0]), "+f"(d[4][1]),
        "+f"(d[4][2]), "+f"(d[4][3]), "+f"(d[5][0]), "+f"(d[5][1]), "+f"(d[5][2]), "+f"(d[5][3]),
        "+f"(d[6][0]), "+f"(d[6][1]), "+f"(d[6][2]), "+f"(d[6][3]), "+f"(d[7][0]), "+f"(d[7][1]),
        "+f"(d[7][2]), "+f"(d[7][3]), "+f"(d[8][0]), "+f"(d[8][1]), "+f"(d[8][2]), "+f"(d[8][3]),
        "+f"(d[9][0]), "+f"(d[9][1]), "+f"(d[9][2]), "+f"(d[9][3]), "+f"(d[10][0]), "+f"(d[10][1]),
        "+f"(d[10][2]), "+f"(d[10][3]), "+f"(d[11][0]), "+f"(d[11][1]), "+f"(d[11][2]),
        "+f"(d[11][3]), "+f"(d[12][0]), "+f"(d[12][1]), "+f"(d[12][2]), "+f"(d[12][3]),
        "+f"(d[13][0]), "+f"(d[13][1]), "+f"(d[13][2]), "+f"(d[13][3]), "+f"(d[14][0]),
        "+f"(d[14][1]), "+f"(d[14][2]), "+f"(d[14][3]), "+f"(d[15][0]), "+f"(d[15][1]),
        "+f"(d[15][2]), "+f"(d[15][3]), "+f"(d[16][0]), "+f"(d[16][1]), "+f"(d[16][2]),
        "+f"(d[16][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds)));
}
// Before groups whose registers other instructions have written.
__device__ inline void begin_groups() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void end_groups() { asm volatile("wgmma.commit_group.sync.aligned;"); }
// All but those since the last kPending calls of end_groups.
template <int kPending>
__device__ inline void groups_done() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
// What was written to shared memory is there for them.
__device__ inline void show_groups() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
#else
constexpr bool kHasGroups = false;
__device__ inline std::uint64_t matrix_at(Shared) { return 0; }
template <bool kTransposed>
__device__ inline void multiply_add_group(const std::uint32_t (&)[4], std::uint64_t, bool,
                                          float (&)[8][4]) {}
__device__ inline void multiply_add_136(const std::uint32_t (&)[4], std::uint64_t, bool,
                                        float (&)[17][4]) {}
__device__ inline void begin_groups() {}
__device__ inline void end_groups() {}
template <int kPending>
__device__ inline void groups_done() {}
__device__ inline void show_groups() {}
#endif

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
__device__ inline uint4 load_16(Shared from) {
  uint4 to;
  asm volatile("ld.shared.v4.b32 {%0, %1, %2, %3}, [%4];"
               : "=r"(to.x), "=r"(to.y), "=r"(to.z), "=r"(to.w)
               : "r"(from));
  return to;
}

// The other ways of load_matrices and load_transposed.
__device__ inline void store_matrices(Shared row, const std::uint32_t (&from)[4]) {
#if __CUDA_ARCH__ >= 900
  asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row),
               "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3])
               : "memory");
#else
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 4; ++i)
    store_4(__shfl_sync(~0U, row, 8 * i + lane / 4) + lane % 4 * 4, from[i]);
#endif
}
__device__ inline void store_transposed(Shared row, const std::uint32_t (&from)[4]) {
#if __CUDA_ARCH__ >= 900
  asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row),
               "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3])
               : "memory");
#else
  const int lane = threadIdx.x % 32;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    std::uint32_t turned;
    asm volatile("movmatrix.sync.aligned.m8n8.trans.b16 %0, %1;" : "=r"(turned) : "r"(from[i]));
    store_4(__shfl_sync(~0U, row, 8 * i + lane / 4) + lane % 4 * 4, turned);
  }
#endif
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
