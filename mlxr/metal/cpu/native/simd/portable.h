// A vector of floats in plain arrays: runs anywhere, and what the other instruction sets are held against.
//
// One struct an instruction set (avx2.h, avx512.h, neon.h) has these members. `Register` is a vector of kWidth floats
// and `Mask` a truth value a lane. Kernels are templates over such a struct, so that the linker never mixes functions
// that were compiled for different instructions.
//
// Rules that keep results independent of batch shape: multiply-adds are explicit, reductions follow one fixed tree.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/half.h"

namespace mlxr::simd {

struct Portable {
  static constexpr int kWidth = 4;
  struct Register { float lane[kWidth]; };
  struct Mask { bool lane[kWidth]; };

  template <class Op>
  static Register map(Op op) {
    Register out;
    for (int i = 0; i < kWidth; ++i) out.lane[i] = op(i);
    return out;
  }
  static Register zero() { return Register{}; }
  static Register splat(float x) {
    return map([&](int) { return x; });
  }
  static Register load(const float* p) {
    return map([&](int i) { return p[i]; });
  }
  static void store(float* p, Register x) { std::memcpy(p, x.lane, sizeof x.lane); }
  static Register load_half(const uint16_t* p) {
    return map([&](int i) { return half_to_float(p[i]); });
  }
  static void store_half(uint16_t* p, Register x) {
    for (int i = 0; i < kWidth; ++i) p[i] = float_to_half(x.lane[i]);
  }
  static Register add(Register a, Register b) {
    return map([&](int i) { return a.lane[i] + b.lane[i]; });
  }
  static Register sub(Register a, Register b) {
    return map([&](int i) { return a.lane[i] - b.lane[i]; });
  }
  static Register mul(Register a, Register b) {
    return map([&](int i) { return a.lane[i] * b.lane[i]; });
  }
  static Register div(Register a, Register b) {
    return map([&](int i) { return a.lane[i] / b.lane[i]; });
  }
  static Register fma(Register a, Register b, Register c) {
    return map([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
  }
  static Register max(Register a, Register b) {
    return map([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Register min(Register a, Register b) {
    return map([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Register round(Register x) {
    // Adding and taking away 1.5 * 2^23 leaves the nearest whole number, for what exp() asks: |x| below 2^22.
    return map([&](int i) { return (x.lane[i] + 12582912.0f) - 12582912.0f; });
  }
  static Register negative(Register x) {
    return map([&](int i) { return -x.lane[i]; });
  }
  static Mask less(Register a, Register b) {
    Mask m;
    for (int i = 0; i < kWidth; ++i) m.lane[i] = a.lane[i] < b.lane[i];
    return m;
  }
  static Mask both(Mask a, Mask b) {
    for (int i = 0; i < kWidth; ++i) a.lane[i] = a.lane[i] && b.lane[i];
    return a;
  }
  static Mask either(Mask a, Mask b) {
    for (int i = 0; i < kWidth; ++i) a.lane[i] = a.lane[i] || b.lane[i];
    return a;
  }
  static Mask is_nan(Register x) {
    Mask m;
    for (int i = 0; i < kWidth; ++i) m.lane[i] = x.lane[i] != x.lane[i];
    return m;
  }
  static bool any(Mask m) {
    bool found = false;
    for (int i = 0; i < kWidth; ++i) found = found || m.lane[i];
    return found;
  }
  static Register select(Mask m, Register yes, Register no) {
    return map([&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
  }
  static Register scale_by_power(Register x, Register n) {
    return map([&](int i) {
      int32_t bits;
      std::memcpy(&bits, &x.lane[i], 4);
      bits += static_cast<int32_t>(n.lane[i]) * (1 << 23);
      float out;
      std::memcpy(&out, &bits, 4);
      return out;
    });
  }
  /// Lane i is the sum of the lanes of x[i].
  static Register sums(const Register* x) {
    return map([&](int i) { return (x[i].lane[0] + x[i].lane[2]) + (x[i].lane[1] + x[i].lane[3]); });
  }
  static Register iota() {
    return map([](int i) { return static_cast<float>(i); });
  }
};

}  // namespace mlxr::simd
