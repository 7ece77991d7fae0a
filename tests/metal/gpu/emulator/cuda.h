// What kernels use of CUDA C++, for a host's compiler. Warps are simdgroups here, blocks are threadgroups.
#pragma once

#include <cmath>

#include "kernel.h"

#define __device__
#define __host__
#define __noinline__
#define __align__(bytes) alignas(bytes)

namespace emulator {

// Of the thread that runs.
inline void begin_thread(const Attributes& attributes) { current().attributes = &attributes; }
inline const Attributes& attributes() { return *static_cast<const Attributes*>(current().attributes); }

}  // namespace emulator

#define threadIdx (emulator::attributes().thread_position_in_threadgroup)
#define blockIdx (emulator::attributes().threadgroup_position_in_grid)
#define blockDim (emulator::attributes().threads_per_threadgroup)
#define gridDim (emulator::attributes().threadgroups_per_grid)

using __half = metal::half;

struct alignas(4) __half2 { __half x, y; };

inline float __half2float(__half x) { return float(x); }
inline __half __float2half(float x) { return __half(x); }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
inline __half2 __half2half2(__half x) { return {x, x}; }
inline __half __low2half(__half2 two) { return two.x; }
inline __half __high2half(__half2 two) { return two.y; }
inline __half __hmul(__half a, __half b) { return a * b; }
inline __half2 __hadd2(__half2 a, __half2 b) { return {a.x + b.x, a.y + b.y}; }
inline __half2 __hmul2(__half2 a, __half2 b) { return {a.x * b.x, a.y * b.y}; }
inline __half2 __hfma2(__half2 a, __half2 b, __half2 c) {
  return {__half(__builtin_fma(float(a.x), float(b.x), float(c.x))),
          __half(__builtin_fma(float(a.y), float(b.y), float(c.y)))};
}

using int4 = metal::int4;
using uint2 = metal::uint2;
using uint4 = metal::uint4;
using float2 = metal::float2;
using float4 = metal::float4;

inline metal::uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline metal::float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline float rsqrtf(float x) { return 1.0f / __builtin_sqrtf(x); }
inline int max(int a, int b) { return a < b ? b : a; }
inline float __expf(float x) { return __builtin_expf(x); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(unsigned x) { return __builtin_ffs(int(x)); }

inline unsigned __byte_perm(unsigned low, unsigned high, unsigned chosen) {
  uint64_t both = uint64_t(high) << 32 | low;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) result |= unsigned(both >> (chosen >> 4 * i & 7) * 8 & 0xff) << 8 * i;
  return result;
}

template <typename T>
T __ldcg(const T* from) {
  return *from;
}

inline void __syncthreads(int line = __builtin_LINE()) {
  if (emulator::current().heard) emulator::end_undefined("what other blocks told, and no fence behind it");
  emulator::wait(emulator::Wait::THREADGROUP, line);
}
inline void __syncwarp(int line = __builtin_LINE()) { emulator::wait(emulator::Wait::SIMDGROUP, line); }
inline void __threadfence() {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  emulator::current().heard = false;
}

// Whole warps alone: a mask of fewer lanes ends the run.
inline void require_whole(unsigned mask) {
  if (mask != ~0u) emulator::end_undefined("a part of a warp");
}

template <typename T>
T __shfl_xor_sync(unsigned mask, T x, int by, int line = __builtin_LINE()) {
  require_whole(mask);
  return metal::simd_shuffle_xor(x, metal::ushort(by), line);
}

template <typename T>
T __shfl_sync(unsigned mask, T x, int lane, int line = __builtin_LINE()) {
  require_whole(mask);
  return metal::simd_shuffle(x, metal::ushort(lane), line);
}

inline unsigned __ballot_sync(unsigned mask, bool x, int line = __builtin_LINE()) {
  require_whole(mask);
  auto lanes = metal::exchange(int(x), line);
  unsigned all = 0;
  for (unsigned lane = 0; lane < lanes.count; ++lane) all |= unsigned(lanes[lane] != 0) << lane;
  return all;
}

inline unsigned atomicInc(unsigned* at, unsigned most) {
  unsigned before = __atomic_load_n(at, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(at, &before, before >= most ? 0 : before + 1, true, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
  }
  return before;
}

namespace emulator {

// Assembler's `ld.relaxed.gpu`: what other blocks do in between shows.
inline void load_relaxed(unsigned& value, const unsigned* from) {
  wait(Wait::GRID, 0);
  current().heard = true;
  value = __atomic_load_n(from, __ATOMIC_RELAXED);
}

// A block tells others how far it is. What it wrote before is told with it by a release alone.
inline void add_release(unsigned& before, unsigned* to, unsigned by) {
  before = __atomic_fetch_add(to, by, __ATOMIC_RELEASE);
}
inline void add_relaxed(unsigned&, unsigned*, unsigned) {
  end_undefined("a block tells others what nothing is behind");
}
inline void fence() { __threadfence(); }

[[noreturn]] inline void trap() { end_undefined("a trap"); }

// Assembler's `mma.m16n8k16` of 16-bit floats with sums in float32, its operands in their order.
inline void mma(float& c0, float& c1, float& c2, float& c3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,
                unsigned b0, unsigned b1, int line = __builtin_LINE()) {
  metal::uint4 left[LANES];  // taken before the next exchange but one may write over them
  auto said = metal::exchange(metal::uint4(a0, a1, a2, a3), line);
  for (unsigned lane = 0; lane < LANES; ++lane) left[lane] = said[lane];
  auto right = metal::exchange(metal::uint2(b0, b1), line);
  auto of = [](unsigned two, unsigned at) { return metal::HalfFormat::widen(uint16_t(two >> 16 * at)); };
  const unsigned quad = right.own / 4, member = right.own % 4;
  float* sums[] = {&c0, &c1, &c2, &c3};
  for (unsigned i = 0; i < 4; ++i) {
    const unsigned column = member * 2 + i % 2;
    for (unsigned k = 0; k < 16; ++k) {
      const unsigned from = k % 8 / 2, upper = k / 8;
      const metal::uint4 a = left[quad * 4 + from];
      const metal::uint2 b = right[column * 4 + from];
      *sums[i] += of(a[int(i / 2 + 2 * upper)], k % 2) * of(b[int(upper)], k % 2);
    }
  }
}

// Likewise of fewer rows: the sums of the other ones begin with `nothing` and are not used.
inline void mma(float& c0, float& c1, float& c2, float& c3, unsigned a0, unsigned a1, unsigned a2, unsigned a3,
                unsigned b0, unsigned b1, float nothing, int line = __builtin_LINE()) {
  c2 = c3 = nothing;
  mma(c0, c1, c2, c3, a0, a1, a2, a3, b0, b1, line);
}

inline void load_global(unsigned& x, unsigned& y, unsigned& z, unsigned& w, const metal::uint4* from) {
  x = from->x, y = from->y, z = from->z, w = from->w;
}

}  // namespace emulator

namespace cooperative_groups {

struct Grid {
  size_t thread_rank() const { return emulator::attributes().thread_position_in_grid.x; }
};
inline Grid this_grid() { return {}; }

}  // namespace cooperative_groups
