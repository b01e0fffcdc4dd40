// Runs kernels on a CPU, for tests of their arithmetic where no GPU is: every thread of a block is
// a fibre, which goes on until the whole warp, group or block has come to what these do together. A
// kernel's source is included after this. Speeds and races are not seen; a copy into shared memory
// arrives when it is waited for and no sooner, so a missing wait is.
#pragma once

#include <cuda.h>
#include <cuda_bf16.h>
#include <cuda_runtime.h>
#include <ucontext.h>

#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <vector>

#include "worker/cuda/device.h"
#include "worker/cuda/groups.cuh"

namespace simt {

enum class Wait { none, warp, group, group_barrier, meeting, phase, block };
enum class Together { load, load_transposed, store_transposed, multiply, multiply_group, shuffle };

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
  // Of a product by a group: where its sides lie, the first one's being 0 when it is in registers,
  // and whether what lies side by side is a row.
  std::uint64_t left = 0, right = 0;
  bool adds = false, left_rows = false, right_rows = false;
  int columns = 0;
  int number = 0;                        // that it meets at
  std::uint32_t barrier = 0, phase = 0;  // that it waits for
  std::vector<std::function<void()>> stores;
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
inline int passed[16];  // at each number
inline bool any;        // of a block's threads

// Copies arrive when somebody waits for them.
struct Barrier {
  int needed = 0, arrived = 0;
  std::int64_t expected = 0;
  std::uint32_t phase = 0;
  std::vector<std::function<std::int64_t()>> copies;  // say how many bytes they bring
};
inline std::map<std::uint32_t, Barrier> barriers;
inline void next_phase(Barrier& barrier) {
  barrier.arrived = 0;
  ++barrier.phase;
}
inline bool is_over(std::uint32_t place, std::uint32_t phase) {
  Barrier& barrier = barriers.at(place);
  if ((barrier.phase & 1) != (phase & 1)) return true;
  if (barrier.arrived < barrier.needed) return false;
  for (const auto& copy : barrier.copies) barrier.expected -= copy();
  if (barrier.expected != 0) throw std::logic_error("a barrier expects other bytes than come");
  barrier.copies.clear();
  next_phase(barrier);
  return true;
}

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
    case Together::store_transposed:
      for (int i = 0; i < 32; ++i)
        for (int k = 0; k < 8; ++k) {
          const std::uint32_t two = warp[k * 4 + i % 8 / 2]->a[i / 8];
          const auto one = static_cast<std::uint16_t>(i % 2 == 0 ? two : two >> 16);
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

// Number `column` of row `row` of what a descriptor says. `inner` is the product's inner side.
inline float number_at(std::uint64_t matrix, int row, int column, bool column_is_inner) {
  const auto start = static_cast<std::uint32_t>(matrix & 0x3fff) << 4;
  const auto first = static_cast<std::uint32_t>(matrix >> 16 & 0x3fff) << 4,
             second = static_cast<std::uint32_t>(matrix >> 32 & 0x3fff) << 4;
  std::uint32_t place = start;
  if (matrix >> 62 != 0) {  // rows of 128 bytes
    place += static_cast<std::uint32_t>(column / 64) * first +
             static_cast<std::uint32_t>(row * 128 + column % 64 * 2);
    place ^= place >> 3 & 0x70;
  } else {  // of sixteen
    place += static_cast<std::uint32_t>(row % 8 * 16 + column % 8 * 2) +
             static_cast<std::uint32_t>(column / 8) * (column_is_inner ? first : second) +
             static_cast<std::uint32_t>(row / 8) * (column_is_inner ? second : first);
  }
  std::uint16_t bits;
  std::memcpy(&bits, at(place, 2), 2);
  return half(bits, 0);
}

inline void do_group(Thread* const* group) {
  const Thread& first = *group[0];
  constexpr int kMost = 192;
  static float a[64][16], b[16][kMost];
  for (int i = 0; i < 128; ++i) {
    if (group[i]->left != first.left || group[i]->right != first.right ||
        group[i]->adds != first.adds || group[i]->columns != first.columns)
      throw std::logic_error("a group's threads part");
    if (first.left == 0) gather(*group[i], i % 32, a + i / 32 * 16);
  }
  for (int k = 0; k < 16; ++k) {
    for (int m = 0; first.left != 0 && m < 64; ++m)
      a[m][k] =
          first.left_rows ? number_at(first.left, m, k, true) : number_at(first.left, k, m, false);
    for (int n = 0; n < first.columns; ++n)
      b[k][n] = first.right_rows ? number_at(first.right, k, n, false)
                                 : number_at(first.right, n, k, true);
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

// Those who wait at a number, with those who have passed it, are two groups: they go on.
inline bool release_meetings() {
  bool moved = false;
  for (int number = 1; number < 16; ++number) {
    int here = passed[number];
    const auto waits = [&](const auto& thread) {
      return thread->waits == Wait::meeting && thread->number == number;
    };
    for (const auto& thread : threads) here += waits(thread) ? 1 : 0;
    if (here < 256) continue;
    passed[number] = 0;
    for (const auto& thread : threads)
      if (waits(thread)) thread->waits = Wait::none;
    moved = true;
  }
  return moved;
}

inline void enter() {
  body();
  if (!me().stores.empty()) throw std::logic_error("a block ends before its stores were read");
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
  barriers.clear();
  std::memset(passed, 0, sizeof passed);
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
    moved |= release_meetings();
    for (const auto& thread : threads)
      if (thread->waits == Wait::phase && is_over(thread->barrier, thread->phase))
        thread->waits = Wait::none, moved = true;
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
inline int __syncthreads_or(int mine) {
  if (mine != 0) simt::any = true;
  simt::wait(simt::Wait::block);
  const bool found = simt::any;
  simt::wait(simt::Wait::block);
  simt::any = false;
  simt::wait(simt::Wait::block);
  return found ? 1 : 0;
}
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
inline int __shfl_xor_sync(unsigned mask, int value, int lanes) {
  return static_cast<int>(__shfl_xor_sync(mask, static_cast<std::uint32_t>(value), lanes));
}

namespace occam::cuda {

inline float* shared_floats() { return reinterpret_cast<float*>(simt::shared); }
inline void put_far(std::uint64_t* to, std::uint64_t word) { *to = word; }
inline std::uint64_t get_far(const std::uint64_t* from) { return *from; }

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

inline std::uint32_t uniform(std::uint32_t value) {
  return value;  // threads that part are seen by what they do together
}
inline void wait_for_group(int) { simt::wait(simt::Wait::group_barrier); }
inline void meet(int number) {
  simt::me().number = number;
  simt::wait(simt::Wait::meeting);
}
inline void pass(int number) { ++simt::passed[number]; }

inline std::uint64_t matrix_at(Shared at, int apart = 16) {
  return at >> 4 | static_cast<std::uint64_t>(apart >> 4) << 16 | std::uint64_t{1} << 62;
}
inline void multiply_group(std::uint64_t a, bool a_rows, std::uint64_t b, bool b_rows, bool adds,
                           int columns, float* sum) {
  simt::Thread& me = simt::me();
  me.left = a, me.left_rows = a_rows;
  me.right = b, me.right_rows = b_rows;
  me.adds = adds;
  me.columns = columns;
  me.sum = sum;
  simt::together(simt::Together::multiply_group);
}
inline void multiply_add_136(const std::uint32_t (&a)[4], std::uint64_t b, bool adds,
                             float (&sum)[17][4]) {
  std::memcpy(simt::me().a, a, sizeof a);
  multiply_group(0, false, b, false, adds, 136, &sum[0][0]);
}
inline std::uint64_t slim_matrix_at(Shared at, int inner, int outer) {
  return at >> 4 | static_cast<std::uint64_t>(inner >> 4) << 16 |
         static_cast<std::uint64_t>(outer >> 4) << 32;
}
template <Major kA, Major kB>
void multiply_add_136(std::uint64_t a, std::uint64_t b, bool adds, float (&sum)[17][4]) {
  multiply_group(a, kA == Major::rows, b, kB == Major::rows, adds, 136, &sum[0][0]);
}
template <Major kA, Major kB>
void multiply_add_24(std::uint64_t a, std::uint64_t b, bool adds, float (&sum)[3][4]) {
  multiply_group(a, kA == Major::rows, b, kB == Major::rows, adds, 24, &sum[0][0]);
}
template <Major kA, Major kB>
void multiply_add_64(std::uint64_t a, std::uint64_t b, bool adds, float (&sum)[8][4]) {
  multiply_group(a, kA == Major::rows, b, kB == Major::rows, adds, 64, &sum[0][0]);
}
template <Major kA, Major kB>
void multiply_add_128(std::uint64_t a, std::uint64_t b, bool adds, float (&sum)[16][4]) {
  multiply_group(a, kA == Major::rows, b, kB == Major::rows, adds, 128, &sum[0][0]);
}
template <Major kA, Major kB>
void multiply_add_144(std::uint64_t a, std::uint64_t b, bool adds, float (&sum)[18][4]) {
  multiply_group(a, kA == Major::rows, b, kB == Major::rows, adds, 144, &sum[0][0]);
}
template <Major kA, Major kB>
void multiply_add_192(std::uint64_t a, std::uint64_t b, bool adds, float (&sum)[24][4]) {
  multiply_group(a, kA == Major::rows, b, kB == Major::rows, adds, 192, &sum[0][0]);
}
inline void begin_groups() {}
inline void end_groups() {}
template <int kPending>
void groups_done() {}
inline void show_groups() {}

using Barrier = Shared;
inline void begin_barrier(Barrier barrier, int arrivals) {
  simt::at(barrier, 8);
  simt::barriers[barrier] = {};
  simt::barriers[barrier].needed = arrivals;
}
inline void show_barriers() {}
inline void arrive(Barrier place) {
  simt::Barrier& barrier = simt::barriers.at(place);
  if (++barrier.arrived == barrier.needed && barrier.expected == 0) simt::next_phase(barrier);
}
inline void arrive_expecting(Barrier barrier, int bytes) {
  simt::barriers.at(barrier).expected += bytes;
  arrive(barrier);
}
inline void wait_for_phase(Barrier barrier, int n) {
  simt::me().barrier = barrier;
  simt::me().phase = static_cast<std::uint32_t>(n);
  simt::wait(simt::Wait::phase);
}

struct Place {
  int x0, x1, x2, x3, x4;
};
// Calls sixteen(place of so many bytes of a box in shared memory, where they are in the tensor or
// null).
template <class Sixteen>
void bytes_of_box(Shared shared, const Boxes& boxes, const Place& place, Sixteen sixteen) {
  const int from[5] = {place.x0, place.x1, place.x2, place.x3, place.x4};
  const auto chunks = static_cast<std::uint32_t>(boxes.sides[0].box / 8);
  const bool is_swizzled = chunks == 8;
  if (shared % (is_swizzled ? 1024 : 128) != 0)
    throw std::logic_error("a box in a place that is not aligned");
  std::uint32_t to = shared;
  for (int e = 0; e < boxes.sides[4].box; ++e)
    for (int d = 0; d < boxes.sides[3].box; ++d)
      for (int c = 0; c < boxes.sides[2].box; ++c)
        for (int b = 0; b < boxes.sides[1].box; ++b)
          for (std::uint32_t chunk = 0; chunk < chunks; ++chunk, to += 16) {
            const int steps[5] = {0, b, c, d, e};
            std::int64_t offset = 8 * chunk;
            bool inside = true;
            for (int i = 0; i < 5; ++i) {
              const std::int64_t at = from[i] + steps[i] * boxes.sides[i].step;
              inside &= at >= 0 && at < boxes.sides[i].size;
              offset += at * boxes.sides[i].stride;
            }
            sixteen(is_swizzled ? to ^ (to >> 3 & 0x70) : to,
                    inside ? boxes.tensor + 2 * offset : nullptr);
          }
}
inline void copy_box(Shared to, const Boxes& boxes, const Place& place, Barrier barrier) {
  simt::barriers.at(barrier).copies.push_back([=] {
    std::int64_t bytes = 0;
    bytes_of_box(to, boxes, place, [&](Shared there, const unsigned char* from) {
      if (from)
        std::memcpy(simt::at(there, 16), from, 16);
      else
        std::memset(simt::at(there, 16), 0, 16);
      bytes += 16;
    });
    return bytes;
  });
}
inline void store_box(const Boxes& boxes, const Place& place, Shared from) {
  simt::me().stores.push_back([=] {
    bytes_of_box(from, boxes, place, [&](Shared there, unsigned char* to) {
      if (to) std::memcpy(to, simt::at(there, 16), 16);
    });
  });
}
inline void stores_read() {
  for (const auto& store : simt::me().stores) store();
  simt::me().stores.clear();
}
inline Boxes boxes_of(const void* tensor, const std::array<Side, 5>& sides) {
  Boxes boxes{static_cast<unsigned char*>(const_cast<void*>(tensor)), {}};
  for (int i = 0; i < 5; ++i)
    boxes.sides[i] = {sides[i].size, sides[i].stride, sides[i].box, sides[i].step};
  for (int i = 1; i < 5; ++i)
    if (sides[i].stride % 8 != 0) throw std::logic_error("a side that no copy of boxes can have");
  return boxes;
}

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
inline void store_transposed(Shared row, const std::uint32_t (&from)[4]) {
  simt::Thread& me = simt::me();
  me.row = row;
  std::memcpy(me.a, from, sizeof from);
  simt::together(simt::Together::store_transposed);
}

// Every block finds shared memory full of NaN.
template <class... Parameters, class... Arguments>
void launch(const char*, void (*kernel)(Parameters...), dim3 blocks, unsigned threads,
            int shared_bytes, Stream, Arguments... arguments) {
  if (shared_bytes > static_cast<int>(simt::kSharedBytes))
    throw std::logic_error("more shared memory than a block can have");
  simt::grid = {blocks.x, blocks.y, 1};
  simt::block_size = {threads, 1, 1};
  simt::body = [&] { kernel(static_cast<Parameters>(arguments)...); };
  for (simt::block = {0, 0, 0}; simt::block.y < blocks.y; ++simt::block.y)
    for (simt::block.x = 0; simt::block.x < blocks.x; ++simt::block.x) {
      std::memset(simt::shared, 0xff, sizeof simt::shared);
      simt::run_block(threads);
    }
}

}  // namespace occam::cuda
