// The sixteen lanes of a panel as floats, one an output feature: as many of V's registers as that takes.
//
// V is the vector of an instruction set (portable.h, avx2.h, avx512.h, neon.h). kernels/lanes_*.h adds what matrix
// products need beside: bytes, integer dot products, and the small formats.
#pragma once

#include <cstdint>

#include "base/constants.h"

namespace mlxr::simd {

template <class V>
struct Lanes {
  static constexpr int kRegisters = kLanes / V::kWidth;
  struct Floats { typename V::Register r[kRegisters]; };

  [[gnu::always_inline]] static Floats splat(float v) {
    return each([&](int) { return V::splat(v); });
  }
  [[gnu::always_inline]] static Floats zero() {
    return each([](int) { return V::zero(); });
  }
  [[gnu::always_inline]] static Floats load(const float* p) {
    return each([&](int i) { return V::load(p + i * V::kWidth); });
  }
  [[gnu::always_inline]] static void store(float* p, const Floats& x) {
    for (int i = 0; i < kRegisters; ++i) V::store(p + i * V::kWidth, x.r[i]);
  }
  // Half floats, at any address.
  [[gnu::always_inline]] static Floats load_half(const uint8_t* p) {
    return each([&](int i) { return V::load_half(reinterpret_cast<const uint16_t*>(p) + i * V::kWidth); });
  }
  [[gnu::always_inline]] static Floats mul(const Floats& x, const Floats& y) {
    return each([&](int i) { return V::mul(x.r[i], y.r[i]); });
  }
  [[gnu::always_inline]] static Floats fma(const Floats& x, const Floats& y, const Floats& z) {
    return each([&](int i) { return V::fma(x.r[i], y.r[i], z.r[i]); });
  }
  [[gnu::always_inline]] static Floats negative(const Floats& x) {
    return each([&](int i) { return V::negative(x.r[i]); });
  }

 private:
  template <class Value>
  [[gnu::always_inline]] static Floats each(Value value) {
    Floats out;
    for (int i = 0; i < kRegisters; ++i) out.r[i] = value(i);
    return out;
  }
};

}  // namespace mlxr::simd
