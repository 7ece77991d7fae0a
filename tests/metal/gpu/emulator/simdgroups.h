// Barriers, and what the lanes of a simdgroup do together. A lane that reads another that is not there reads poison.
#pragma once

#include "functions.h"
#include "threads.h"

namespace metal {

enum class mem_flags { mem_none = 0, mem_device = 1, mem_threadgroup = 2, mem_texture = 4 };
inline mem_flags operator|(mem_flags a, mem_flags b) { return mem_flags(int(a) | int(b)); }

inline void threadgroup_barrier(mem_flags, int line = __builtin_LINE()) {
  emulator::wait(emulator::Wait::THREADGROUP, line);
}

inline void simdgroup_barrier(mem_flags, int line = __builtin_LINE()) {
  emulator::wait(emulator::Wait::SIMDGROUP, line);
}

// What every lane of a simdgroup had to say at one operation.
template <typename T>
struct Lanes {
  static_assert(sizeof(T) <= 16, "a lane says 16 bytes at most");
  const emulator::Slots& slots;
  unsigned turn, count, own;

  T operator[](unsigned lane) const {
    T value;
    if (lane < count) {
      std::memcpy(&value, slots.bytes[turn][lane], sizeof(T));
    } else {
      std::memset(static_cast<void*>(&value), 0xff, sizeof(T));
    }
    return value;
  }
};

template <typename T>
Lanes<T> exchange(T value, int line) {
  emulator::Thread& self = emulator::current();
  emulator::Slots& slots = emulator::slots();
  unsigned turn = self.operations++ % 2;
  std::memcpy(slots.bytes[turn][self.lane()], &value, sizeof(T));
  emulator::wait(emulator::Wait::SIMDGROUP, line);
  return {slots, turn, emulator::lanes(), self.lane()};
}

template <typename T, typename F>
T folded(T value, F f, int line) {
  Lanes<T> lanes = exchange(value, line);
  T parts[emulator::LANES];
  for (unsigned i = 0; i < lanes.count; ++i) parts[i] = lanes[i];
  for (unsigned step = 1; step < lanes.count; step *= 2) {
    for (unsigned i = 0; i + step < lanes.count; i += 2 * step) parts[i] = f(parts[i], parts[i + step]);
  }
  return parts[0];
}

template <typename T>
T simd_sum(T x, int line = __builtin_LINE()) {
  return folded(x, [](T a, T b) { return T(a + b); }, line);
}
template <typename T>
T simd_max(T x, int line = __builtin_LINE()) {
  return folded(x, [](T a, T b) { return a < b ? b : a; }, line);
}
template <typename T>
T simd_min(T x, int line = __builtin_LINE()) {
  return folded(x, [](T a, T b) { return b < a ? b : a; }, line);
}
template <typename T>
T simd_shuffle(T x, ushort lane, int line = __builtin_LINE()) {
  return exchange(x, line)[lane];
}
template <typename T>
T simd_broadcast(T x, ushort lane, int line = __builtin_LINE()) {
  return exchange(x, line)[lane];
}
template <typename T>
T simd_broadcast_first(T x, int line = __builtin_LINE()) {
  return exchange(x, line)[0];
}
template <typename T>
T simd_shuffle_xor(T x, ushort mask, int line = __builtin_LINE()) {
  auto lanes = exchange(x, line);
  return lanes[lanes.own ^ mask];
}
template <typename T>
T simd_shuffle_down(T x, ushort delta, int line = __builtin_LINE()) {
  auto lanes = exchange(x, line);
  return lanes[lanes.own + delta];
}
template <typename T>
T simd_shuffle_up(T x, ushort delta, int line = __builtin_LINE()) {
  auto lanes = exchange(x, line);
  return lanes[lanes.own - delta];
}
template <typename T>
T simd_prefix_exclusive_sum(T x, int line = __builtin_LINE()) {
  auto lanes = exchange(x, line);
  T sum = 0;
  for (unsigned i = 0; i < lanes.own; ++i) sum = sum + lanes[i];
  return sum;
}
template <typename T>
T simd_prefix_inclusive_sum(T x, int line = __builtin_LINE()) {
  return simd_prefix_exclusive_sum(x, line) + x;
}
inline bool simd_any(bool x, int line = __builtin_LINE()) {
  return folded(int(x), [](int a, int b) { return a | b; }, line);
}
inline bool simd_all(bool x, int line = __builtin_LINE()) {
  return folded(int(x), [](int a, int b) { return a & b; }, line);
}

// A matrix of 8 x 8 over a simdgroup: a lane has two neighbours of one row.
template <typename T, int ROWS = 8, int COLUMNS = 8>
struct simdgroup_matrix {
  static_assert(ROWS == 8 && COLUMNS == 8, "Metal has matrices of 8 x 8");
  vec<T, 2> own;
  vec<T, 2>& thread_elements() { return own; }
  simdgroup_matrix() = default;
  explicit simdgroup_matrix(T all) : own(all) {}
};

using simdgroup_float8x8 = simdgroup_matrix<float, 8, 8>;
using simdgroup_half8x8 = simdgroup_matrix<half, 8, 8>;

inline unsigned row_of(unsigned lane) { return (lane / 4 & 4) + lane / 2 % 4; }
inline unsigned column_of(unsigned lane) { return (lane / 4 & 2) * 2 + lane % 2 * 2; }

template <typename T, int ROWS, int COLUMNS>
simdgroup_matrix<T, ROWS, COLUMNS> make_filled_simdgroup_matrix(T all) {
  return simdgroup_matrix<T, ROWS, COLUMNS>(all);
}

template <typename T, typename U>
void simdgroup_load(simdgroup_matrix<T, 8, 8>& m, const U* from, ulong stride = 8, vec<ulong, 2> origin = 0,
                    bool transposed = false, int line = __builtin_LINE()) {
  static_assert(std::is_same_v<T, U>, "a matrix is loaded from numbers of its own type");
  auto lanes = exchange(0, line);
  ulong row = row_of(lanes.own) + origin.y, column = column_of(lanes.own) + origin.x;
  for (int i = 0; i < 2; ++i)
    m.own[i] = transposed ? from[(column + i) * stride + row] : from[row * stride + column + i];
}

template <typename T, typename U>
void simdgroup_store(simdgroup_matrix<T, 8, 8> m, U* to, ulong stride = 8, vec<ulong, 2> origin = 0,
                     bool transposed = false, int line = __builtin_LINE()) {
  static_assert(std::is_same_v<T, U>, "a matrix is stored to numbers of its own type");
  auto lanes = exchange(0, line);
  ulong row = row_of(lanes.own) + origin.y, column = column_of(lanes.own) + origin.x;
  for (int i = 0; i < 2; ++i) (transposed ? to[(column + i) * stride + row] : to[row * stride + column + i]) = m.own[i];
}

template <typename D, typename A, typename B, typename C>
void simdgroup_multiply_accumulate(simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8> a,
                                   simdgroup_matrix<B, 8, 8> b, simdgroup_matrix<C, 8, 8> c,
                                   int line = __builtin_LINE()) {
  auto lanes = exchange(float4(a.own[0], a.own[1], b.own[0], b.own[1]), line);
  float left[8][8], right[8][8];
  for (unsigned lane = 0; lane < emulator::LANES; ++lane) {
    float4 said = lanes[lane];
    for (int i = 0; i < 2; ++i) {
      left[row_of(lane)][column_of(lane) + i] = said[i];
      right[row_of(lane)][column_of(lane) + i] = said[2 + i];
    }
  }
  for (int i = 0; i < 2; ++i) {
    float sum = c.own[i];
    for (int k = 0; k < 8; ++k) sum += left[row_of(lanes.own)][k] * right[k][column_of(lanes.own) + i];
    d.own[i] = D(sum);
  }
}

template <typename D, typename A, typename B>
void simdgroup_multiply(simdgroup_matrix<D, 8, 8>& d, simdgroup_matrix<A, 8, 8> a, simdgroup_matrix<B, 8, 8> b,
                        int line = __builtin_LINE()) {
  simdgroup_multiply_accumulate(d, a, b, simdgroup_matrix<D, 8, 8>(D(0)), line);
}

}  // namespace metal
