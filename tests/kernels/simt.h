// Runs kernels on a CPU, for tests of their arithmetic where no GPU is: every thread of a block is
// a fibre, which goes on until the whole warp, group or block has come to what these do together. A
// kernel's source is included after this. Speeds and races are not seen; a copy into shared memory
// arrives when it is waited for and no sooner, so a missing wait is.
//
// kHasGroups is OCCAM_HAS_GROUPS: the kernels of Hopper, or those of any GPU.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <ucontext.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <vector>

#include "worker/cuda/device.h"

namespace simt {

enum class Wait { none, warp, group, group_barrier, block };
enum class Together {
  load,
  load_transposed,
  store,
  store_transposed,
  multiply,
  multiply_group,
  shuffle
};

struct Copy {
  std::uint32_t to;
  const void* from;  // null for zeros
};

struct Thread {
  ucontext_t context;
  bool done = false;
  Wait waits = Wait::none;
  // What it brings to what its warp or group does together.
  Together what;
  std::uint32_t row = 0, a[4], b[2];
  std::uint64_t matrix = 0;
  bool adds = false, transposed = false;
  int columns = 0;
  std::uint32_t* loaded = nullptr;
  float* sum = nullptr;
  float value = 0;
  int mask = 0;
  std::deque<std::vector<Copy>> copies{{}};
};

struct Index {
  unsigned x, y, z;
};
inline Index block, grid, block_size;
inline std::vector<std::unique_ptr<Thread>> threads;
inline ucontext_t scheduler;
inline int current;
inline std::function<void()> body;

constexpr std::uint32_t kSharedBytes = 227 << 10;
alignas(1024) inline unsigned char shared[kSharedBytes];

inline Thread& me() { return *threads[static_cast<std::size_t>(current)]; }
inline unsigned char* at(std::uint32_t place, std::uint32_t bytes) {
  if (place % bytes != 0 || place + bytes > kSharedBytes)
    throw std::logic_error("a place outside of shared memory, or one that is not aligned");
  return shared + place;
}
inline void wait(Wait kind) {
  Thread& thread = me();
  thread.waits = kind;
  swapcontext(&thread.context, &scheduler);
}
inline void together(Together what) {
  me().what = what;
  wait(what == Together::multiply_group ? Wait::group : Wait::warp);
}

inline float half(std::uint32_t bits, int i) {
  return __bfloat162float({static_cast<std::uint16_t>(i == 0 ? bits : bits >> 16)});
}
// The 16 rows x 16 columns that a warp holds, a lane two neighbours of each 8 x 8.
inline void gather(const Thread& thread, int lane, float (*a)[16]) {
  const int row = lane / 4, column = lane % 4 * 2;
  for (int i = 0; i < 4; ++i)
    for (int h = 0; h < 2; ++h) a[row + i % 2 * 8][column + i / 2 * 8 + h] = half(thread.a[i], h);
}

inline void do_warp(Thread* const (&warp)[32]) {
  for (const Thread* thread : warp)
    if (thread->what != warp[0]->what) throw std::logic_error("a warp's threads part");
  switch (warp[0]->what) {
    case Together::load:
    case Together::load_transposed: {
      std::uint16_t matrix[4][8][8];
      for (int i = 0; i < 32; ++i) std::memcpy(matrix[i / 8][i % 8], at(warp[i]->row, 16), 16);
      const bool turns = warp[0]->what == Together::load_transposed;
      for (int i = 0; i < 32; ++i)
        for (int m = 0; m < 4; ++m) {
          const int row = i / 4, column = i % 4 * 2;
          const std::uint32_t first = turns ? matrix[m][column][row] : matrix[m][row][column];
          const std::uint32_t second =
              turns ? matrix[m][column + 1][row] : matrix[m][row][column + 1];
          warp[i]->loaded[m] = first | second << 16;
        }
      break;
    }
    case Together::store:
    case Together::store_transposed:
      for (int i = 0; i < 32; ++i)
        for (int k = 0; k < 8; ++k) {
          const bool turns = warp[0]->what == Together::store_transposed;
          const int row = turns ? k : i % 8, column = turns ? i % 8 : k;
          const std::uint32_t two = warp[row * 4 + column / 2]->a[i / 8];
          const auto one = static_cast<std::uint16_t>(column % 2 == 0 ? two : two >> 16);
          std::memcpy(at(warp[i]->row, 16) + 2 * k, &one, 2);
        }
      break;
    case Together::multiply: {
      float a[16][16], b[16][8];
      for (int i = 0; i < 32; ++i) {
        gather(*warp[i], i, a);
        for (int part = 0; part < 2; ++part)
          for (int h = 0; h < 2; ++h)
            b[part * 8 + i % 4 * 2 + h][i / 4] = half(warp[i]->b[part], h);
      }
      for (int i = 0; i < 32; ++i)
        for (int v = 0; v < 4; ++v)
          for (int k = 0; k < 16; ++k)
            warp[i]->sum[v] += a[i / 4 + v / 2 * 8][k] * b[k][i % 4 * 2 + v % 2];
      break;
    }
    case Together::shuffle: {
      float values[32];
      for (int i = 0; i < 32; ++i) values[i] = warp[i]->value;
      for (int i = 0; i < 32; ++i) warp[i]->value = values[i ^ warp[i]->mask];
      break;
    }
    case Together::multiply_group:
      throw std::logic_error("a warp alone at a group's work");
  }
}

inline void do_group(Thread* const* group) {
  const Thread& first = *group[0];
  constexpr int kMost = 136;
  float a[64][16], b[16][kMost];
  for (int i = 0; i < 128; ++i) {
    if (group[i]->matrix != first.matrix || group[i]->adds != first.adds)
      throw std::logic_error("a group's threads part");
    gather(*group[i], i % 32, a + i / 32 * 16);
  }
  for (int k = 0; k < 16; ++k)
    for (int n = 0; n < first.columns; ++n) {
      const int row = first.transposed ? n : k, column = first.transposed ? k : n;
      auto place = static_cast<std::uint32_t>(first.matrix) +
                   static_cast<std::uint32_t>(row * 128 + column * 2);
      place ^= place >> 3 & 0x70;
      std::uint16_t bits;
      std::memcpy(&bits, at(place, 2), 2);
      b[k][n] = half(bits, 0);
    }
  for (int i = 0; i < 128; ++i)
    for (int j = 0; j < first.columns / 8; ++j)
      for (int v = 0; v < 4; ++v) {
        float& sum = group[i]->sum[4 * j + v];
        if (!first.adds) sum = 0;
        for (int k = 0; k < 16; ++k)
          sum += a[i / 32 * 16 + i % 32 / 4 + v / 2 * 8][k] * b[k][8 * j + i % 4 * 2 + v % 2];
      }
}

inline void enter() {
  body();
  me().done = true;
  swapcontext(&me().context, &scheduler);
}

// Whether all of `count` threads from `begin` on wait so; then they go on.
inline bool release(std::size_t begin, std::size_t count, Wait kind) {
  for (std::size_t i = begin; i < begin + count; ++i)
    if (threads[i]->waits != kind) return false;
  for (std::size_t i = begin; i < begin + count; ++i) threads[i]->waits = Wait::none;
  return true;
}

inline void run_block(unsigned count) {
  constexpr std::size_t kStack = 128 << 10;
  static std::vector<std::unique_ptr<char[]>> stacks;  // not filled with zeros for every block
  threads.clear();
  for (unsigned i = 0; i < count; ++i) {
    threads.push_back(std::make_unique<Thread>());
    Thread& thread = *threads.back();
    if (stacks.size() <= i) stacks.emplace_back(new char[kStack]);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = stacks[i].get();
    thread.context.uc_stack.ss_size = kStack;
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, enter, 0);
  }
  for (bool moved = true; moved;) {
    moved = false;
    for (current = 0; current < static_cast<int>(count); ++current)
      if (!me().done && me().waits == Wait::none) {
        swapcontext(&scheduler, &me().context);
        moved = true;
      }
    for (std::size_t warp = 0; warp < count; warp += 32)
      if (release(warp, 32, Wait::warp)) {
        Thread* all[32];
        for (std::size_t i = 0; i < 32; ++i) all[i] = threads[warp + i].get();
        do_warp(all);
        moved = true;
      }
    for (std::size_t group = 0; group + 128 <= count; group += 128) {
      if (release(group, 128, Wait::group)) {
        Thread* all[128];
        for (std::size_t i = 0; i < 128; ++i) all[i] = threads[group + i].get();
        do_group(all);
        moved = true;
      }
      if (release(group, 128, Wait::group_barrier)) moved = true;
    }
    bool all_here = true;
    for (const auto& thread : threads) all_here &= thread->done || thread->waits == Wait::block;
    if (all_here)
      for (const auto& thread : threads)
        if (thread->waits == Wait::block) thread->waits = Wait::none, moved = true;
  }
  for (const auto& thread : threads)
    if (!thread->done) throw std::logic_error("threads wait for ever");
}

}  // namespace simt

#define threadIdx (simt::Index{static_cast<unsigned>(simt::current), 0, 0})
#define blockIdx (simt::block)
#define gridDim (simt::grid)
#define blockDim (simt::block_size)

inline void __syncthreads() { simt::wait(simt::Wait::block); }
inline void __syncwarp() {}
inline float __shfl_xor_sync(unsigned, float value, int mask) {
  simt::me().value = value;
  simt::me().mask = mask;
  simt::together(simt::Together::shuffle);
  return simt::me().value;
}
inline std::uint32_t __shfl_xor_sync(unsigned mask, std::uint32_t value, int lanes) {
  float bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = __shfl_xor_sync(mask, bits, lanes);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

namespace occam::cuda {

using Shared = std::uint32_t;
inline Shared shared_memory() { return 0; }

inline void load(simt::Together what, Shared row, std::uint32_t (&to)[4]) {
  simt::me().row = row;
  simt::me().loaded = to;
  simt::together(what);
}
inline void load_matrices(Shared row, std::uint32_t (&to)[4]) {
  load(simt::Together::load, row, to);
}
inline void load_transposed(Shared row, std::uint32_t (&to)[4]) {
  load(simt::Together::load_transposed, row, to);
}
inline void multiply_add(const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                         float (&sum)[4]) {
  simt::Thread& me = simt::me();
  std::memcpy(me.a, a, sizeof a);
  me.b[0] = b0, me.b[1] = b1;
  me.sum = sum;
  simt::together(simt::Together::multiply);
}

constexpr bool kHasGroups = OCCAM_HAS_GROUPS;
inline std::uint64_t matrix_at(Shared at) { return at; }
inline void multiply_group(const std::uint32_t (&a)[4], std::uint64_t b, bool adds, bool transposed,
                           int columns, float* sum) {
  simt::Thread& me = simt::me();
  std::memcpy(me.a, a, sizeof a);
  me.matrix = b;
  me.adds = adds;
  me.transposed = transposed;
  me.columns = columns;
  me.sum = sum;
  simt::together(simt::Together::multiply_group);
}
template <bool kTransposed>
void multiply_add_group(const std::uint32_t (&a)[4], std::uint64_t b, bool adds,
                        float (&sum)[8][4]) {
  multiply_group(a, b, adds, kTransposed, 64, &sum[0][0]);
}
inline void multiply_add_136(const std::uint32_t (&a)[4], std::uint64_t b, bool adds,
                             float (&sum)[17][4]) {
  multiply_group(a, b, adds, true, 136, &sum[0][0]);
}
inline void wait_for_group(int) { simt::wait(simt::Wait::group_barrier); }
inline void begin_groups() {}
inline void end_groups() {}
template <int kPending>
void groups_done() {}
inline void show_groups() {}

inline void copy_16(Shared to, const void* from, bool zeros) {
  simt::me().copies.back().push_back({to, zeros ? nullptr : from});
}
inline void end_copies() { simt::me().copies.emplace_back(); }
template <int kPending>
void copies_done() {
  auto& copies = simt::me().copies;
  while (copies.size() > kPending + 1) {
    for (const simt::Copy& copy : copies.front()) {
      if (copy.from)
        std::memcpy(simt::at(copy.to, 16), copy.from, 16);
      else
        std::memset(simt::at(copy.to, 16), 0, 16);
    }
    copies.pop_front();
  }
}
inline void store_4(Shared to, std::uint32_t value) {
  std::memcpy(simt::at(to, 4), &value, sizeof value);
}
inline std::uint32_t load_4(Shared from) {
  std::uint32_t value;
  std::memcpy(&value, simt::at(from, 4), sizeof value);
  return value;
}
inline uint4 load_16(Shared from) {
  uint4 to;
  std::memcpy(&to, simt::at(from, 16), sizeof to);
  return to;
}
inline void store(simt::Together what, Shared row, const std::uint32_t (&from)[4]) {
  simt::Thread& me = simt::me();
  me.row = row;
  std::memcpy(me.a, from, sizeof from);
  simt::together(what);
}
inline void store_matrices(Shared row, const std::uint32_t (&from)[4]) {
  store(simt::Together::store, row, from);
}
inline void store_transposed(Shared row, const std::uint32_t (&from)[4]) {
  store(simt::Together::store_transposed, row, from);
}

// Every block finds shared memory full of NaN.
template <class... Parameters, class... Arguments>
void launch(const char*, void (*kernel)(Parameters...), unsigned blocks, unsigned threads,
            int shared_bytes, Stream, Arguments... arguments) {
  if (shared_bytes > static_cast<int>(simt::kSharedBytes))
    throw std::logic_error("more shared memory than a block can have");
  simt::grid = {blocks, 1, 1};
  simt::block_size = {threads, 1, 1};
  simt::body = [&] { kernel(static_cast<Parameters>(arguments)...); };
  for (simt::block = {0, 0, 0}; simt::block.x < blocks; ++simt::block.x) {
    std::memset(simt::shared, 0xff, sizeof simt::shared);
    simt::run_block(threads);
  }
}

}  // namespace occam::cuda
