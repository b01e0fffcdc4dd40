#pragma once

#include <cstdint>

#include "worker/cuda/boxes.h"
#include "worker/cuda/matrix.cuh"

// What Hopper's multiprocessors do for a group of four warps at once: products of matrices that lie
// in shared memory, and copies of boxes of a tensor, which arrive while the warps do something
// else. Only code for compute capability 9.0a has them; kernels built for other GPUs stop at once.

namespace occam::cuda {

constexpr int kGroup = 128;  // threads

// Which numbers of a matrix lie side by side: those of a row, or those of a column.
enum class Major { rows, columns };

// Without nvcc, tests/kernels/simt.h has these for a CPU.
#ifdef __CUDACC__

#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define OCCAM_HOPPER(code) code
#else
#define OCCAM_HOPPER(code) __trap()
#endif

// The same in all threads of a warp, and the compiler may know it.
__device__ inline std::uint32_t uniform(std::uint32_t value) { return __shfl_sync(~0U, value, 0); }

// The other way of load_transposed.
__device__ inline void store_transposed(Shared row, const std::uint32_t (&from)[4]) {
  OCCAM_HOPPER(asm volatile(
      "stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(row),
      "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3])
      : "memory"));
}

// For the threads of one group alone; numbers from 1 on.
__device__ inline void wait_for_group(int number) {
  asm volatile("bar.sync %0, 128;" ::"r"(number) : "memory");
}
// For those of two groups: goes on when all have met at the number or passed it.
__device__ inline void meet(int number) {
  asm volatile("bar.sync %0, 256;" ::"r"(number) : "memory");
}
__device__ inline void pass(int number) {
  asm volatile("bar.arrive %0, 256;" ::"r"(number) : "memory");
}

// --- products ---------------------------------------------------------------------------------

// Says where a matrix lies, whose rows or columns of 64 bfloat16 are 128 bytes in the order of
// place_128. One of more columns than that goes on, 64 at a time, `apart` bytes further. Plus n, it
// lies 16 n bytes further.
__device__ inline std::uint64_t matrix_at(Shared at, int apart = 16) {
  constexpr std::uint64_t kEightRows = 1024 >> 4, kSwizzled = 1;
  return at >> 4 | static_cast<std::uint64_t>(apart >> 4) << 16 | kEightRows << 32 |
         kSwizzled << 62;
}

// The same for one that lies as rows or columns of eight numbers, sixteen bytes one behind the
// other: eight of the product's inner numbers on it goes on `inner` bytes further, eight of the
// others on `outer` bytes.
__device__ inline std::uint64_t slim_matrix_at(Shared at, int inner, int outer) {
  return at >> 4 | static_cast<std::uint64_t>(inner >> 4) << 16 |
         static_cast<std::uint64_t>(outer >> 4) << 32;
}

// sum += a b, or = a b, of 64 x 16 by 16 x n: each warp has 16 rows, as so many of multiply_add's
// sums as there are eights in n. Not done before groups_done; what is in registers is not to be
// touched before.
#define OCCAM_ONE(d, j) "+f"(d[j][0]), "+f"(d[j][1]), "+f"(d[j][2]), "+f"(d[j][3])
#define OCCAM_FOUR(d, j) \
  OCCAM_ONE(d, j), OCCAM_ONE(d, j + 1), OCCAM_ONE(d, j + 2), OCCAM_ONE(d, j + 3)
// clang-format off
// A warp brings its rows of a as for multiply_add; columns of b lie side by side.
__device__ inline void multiply_add_136(const std::uint32_t (&a)[4], std::uint64_t b, bool adds,
                                        float (&sum)[17][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %73, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n136k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
      "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "
      "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "
      "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, "
      "%66, %67"
      "}, {%68, %69, %70, %71}, %72, p, 1, 1, 0;}"
      : OCCAM_FOUR(sum, 0), OCCAM_FOUR(sum, 4), OCCAM_FOUR(sum, 8), OCCAM_FOUR(sum, 12), OCCAM_ONE(sum, 16)
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<int>(adds))));
}
// Both from shared memory.
template <Major kA, Major kB>
__device__ inline void multiply_add_136(std::uint64_t a, std::uint64_t b, bool adds,
                                        float (&sum)[17][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %70, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n136k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
      "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "
      "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "
      "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, "
      "%66, %67"
      "}, %68, %69, p, 1, 1, %71, %72;}"
      : OCCAM_FOUR(sum, 0), OCCAM_FOUR(sum, 4), OCCAM_FOUR(sum, 8), OCCAM_FOUR(sum, 12), OCCAM_ONE(sum, 16)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kA == Major::columns ? 1 : 0), "n"(kB == Major::rows ? 1 : 0)));
}
template <Major kA, Major kB>
__device__ inline void multiply_add_24(std::uint64_t a, std::uint64_t b, bool adds,
                                       float (&sum)[3][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %14, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n24k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11"
      "}, %12, %13, p, 1, 1, %15, %16;}"
      : OCCAM_ONE(sum, 0), OCCAM_ONE(sum, 1), OCCAM_ONE(sum, 2)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kA == Major::columns ? 1 : 0), "n"(kB == Major::rows ? 1 : 0)));
}
template <Major kA, Major kB>
__device__ inline void multiply_add_64(std::uint64_t a, std::uint64_t b, bool adds,
                                       float (&sum)[8][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
      "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
      "}, %32, %33, p, 1, 1, %35, %36;}"
      : OCCAM_FOUR(sum, 0), OCCAM_FOUR(sum, 4)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kA == Major::columns ? 1 : 0), "n"(kB == Major::rows ? 1 : 0)));
}
template <Major kA, Major kB>
__device__ inline void multiply_add_128(std::uint64_t a, std::uint64_t b, bool adds,
                                        float (&sum)[16][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
      "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "
      "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "
      "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
      "}, %64, %65, p, 1, 1, %67, %68;}"
      : OCCAM_FOUR(sum, 0), OCCAM_FOUR(sum, 4), OCCAM_FOUR(sum, 8), OCCAM_FOUR(sum, 12)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kA == Major::columns ? 1 : 0), "n"(kB == Major::rows ? 1 : 0)));
}
template <Major kA, Major kB>
__device__ inline void multiply_add_144(std::uint64_t a, std::uint64_t b, bool adds,
                                        float (&sum)[18][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %74, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n144k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
      "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "
      "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "
      "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, "
      "%66, %67, %68, %69, %70, %71"
      "}, %72, %73, p, 1, 1, %75, %76;}"
      : OCCAM_FOUR(sum, 0), OCCAM_FOUR(sum, 4), OCCAM_FOUR(sum, 8), OCCAM_FOUR(sum, 12), OCCAM_ONE(sum, 16), OCCAM_ONE(sum, 17)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kA == Major::columns ? 1 : 0), "n"(kB == Major::rows ? 1 : 0)));
}
template <Major kA, Major kB>
__device__ inline void multiply_add_192(std::uint64_t a, std::uint64_t b, bool adds,
                                        float (&sum)[24][4]) {
  OCCAM_HOPPER(asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %98, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n192k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, "
      "%18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, "
      "%34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, "
      "%50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, %64, %65, "
      "%66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, "
      "%82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
      "}, %96, %97, p, 1, 1, %99, %100;}"
      : OCCAM_FOUR(sum, 0), OCCAM_FOUR(sum, 4), OCCAM_FOUR(sum, 8), OCCAM_FOUR(sum, 12), OCCAM_FOUR(sum, 16), OCCAM_FOUR(sum, 20)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds)), "n"(kA == Major::columns ? 1 : 0), "n"(kB == Major::rows ? 1 : 0)));
}
// clang-format on
#undef OCCAM_ONE
#undef OCCAM_FOUR

// Before products whose registers other instructions have written.
__device__ inline void begin_groups() {
  OCCAM_HOPPER(asm volatile("wgmma.fence.sync.aligned;" ::: "memory"));
}
__device__ inline void end_groups() {
  OCCAM_HOPPER(asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"));
}
// All but those since the last kPending calls of end_groups.
template <int kPending>
__device__ inline void groups_done() {
  OCCAM_HOPPER(asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory"));
}
// What this thread has written to shared memory is there for products and for copies of boxes.
__device__ inline void show_groups() {
  OCCAM_HOPPER(asm volatile("fence.proxy.async.shared::cta;" ::: "memory"));
}

// --- barriers and boxes -----------------------------------------------------------------------

// Eight bytes of shared memory that can be waited for: it goes from one phase to the next when as
// many have arrived as it was begun with, and all bytes that they expect.
using Barrier = Shared;
__device__ inline void begin_barrier(Barrier barrier, int arrivals) {
  OCCAM_HOPPER(asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals)
                            : "memory"));
}
// By the thread that has begun them, before others may use them (after __syncthreads).
__device__ inline void show_barriers() {
  OCCAM_HOPPER(asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"));
  show_groups();
}
__device__ inline void arrive(Barrier barrier) {
  OCCAM_HOPPER(asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory"));
}
__device__ inline void arrive_expecting(Barrier barrier, int bytes) {
  OCCAM_HOPPER(asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                            "r"(bytes)
                            : "memory"));
}
// For the end of the n-th phase, n from 0 on, of which the last bit counts.
__device__ inline void wait_for_phase(Barrier barrier, int n) {
  OCCAM_HOPPER(
      asm volatile("{.reg .pred p;\n"
                   "again: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
                   "@p bra done;\n"
                   "bra again;\n"
                   "done:}" ::"r"(barrier),
                   "r"(n & 1)
                   : "memory"));
}

// Where a box is, by the tensor's five sides; beyond their ends there are zeros. The barrier's
// phase expects its bytes.
struct Place {
  int x0, x1, x2, x3, x4;
};
__device__ inline void copy_box(Shared to, const Boxes& boxes, const Place& place,
                                Barrier barrier) {
  OCCAM_HOPPER(asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%2, %3, %4, %5, %6}], [%7];" ::"r"(to),
      "l"(reinterpret_cast<std::uint64_t>(&boxes)), "r"(place.x0), "r"(place.x1), "r"(place.x2),
      "r"(place.x3), "r"(place.x4), "r"(barrier)
      : "memory"));
}
// What lies beyond the tensor's ends is left. Before: show_groups by who has written, and a
// barrier.
__device__ inline void store_box(const Boxes& boxes, const Place& place, Shared from) {
  OCCAM_HOPPER(asm volatile(
      "cp.async.bulk.tensor.5d.global.shared::cta.tile.bulk_group [%0, {%1, %2, %3, %4, %5}], "
      "[%6];" ::"l"(reinterpret_cast<std::uint64_t>(&boxes)),
      "r"(place.x0), "r"(place.x1), "r"(place.x2), "r"(place.x3), "r"(place.x4), "r"(from)
      : "memory"));
  OCCAM_HOPPER(asm volatile("cp.async.bulk.commit_group;" ::: "memory"));
}
// What this thread has stored may be written over. Before a block ends, too.
__device__ inline void stores_read() {
  OCCAM_HOPPER(asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"));
}

#undef OCCAM_HOPPER
#endif

}  // namespace occam::cuda
