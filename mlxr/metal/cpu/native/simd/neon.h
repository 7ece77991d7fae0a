// A vector of floats in 128-bit registers (Arm's Advanced SIMD).
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace mlxr::simd {
namespace {  // each file that includes this has its own, compiled for its own instructions

struct Neon {
  static constexpr int kWidth = 4;
  using Register = float32x4_t;
  using Mask = uint32x4_t;

  static Register zero() { return vdupq_n_f32(0.0f); }
  static Register splat(float x) { return vdupq_n_f32(x); }
  static Register load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, Register x) { vst1q_f32(p, x); }
  static Register load_half(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void store_half(uint16_t* p, Register x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
  static Register add(Register a, Register b) { return vaddq_f32(a, b); }
  static Register sub(Register a, Register b) { return vsubq_f32(a, b); }
  static Register mul(Register a, Register b) { return vmulq_f32(a, b); }
  static Register div(Register a, Register b) { return vdivq_f32(a, b); }
  static Register fma(Register a, Register b, Register c) { return vfmaq_f32(c, a, b); }
  static Register max(Register a, Register b) { return vmaxq_f32(a, b); }
  static Register min(Register a, Register b) { return vminq_f32(a, b); }
  static Register round(Register x) { return vrndnq_f32(x); }
  static Register negative(Register x) { return vnegq_f32(x); }
  static Mask less(Register a, Register b) { return vcltq_f32(a, b); }
  static Mask both(Mask a, Mask b) { return vandq_u32(a, b); }
  static Mask either(Mask a, Mask b) { return vorrq_u32(a, b); }
  static Mask is_nan(Register x) { return vmvnq_u32(vceqq_f32(x, x)); }
  static bool any(Mask m) { return vmaxvq_u32(m) != 0; }
  static Register select(Mask m, Register yes, Register no) { return vbslq_f32(m, yes, no); }
  static Register scale_by_power(Register x, Register n) {
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), vshlq_n_s32(vcvtnq_s32_f32(n), 23)));
  }
  /// Lane i is the sum of the lanes of x[i].
  static Register sums(const Register* x) { return vpaddq_f32(vpaddq_f32(x[0], x[1]), vpaddq_f32(x[2], x[3])); }
  static Register iota() {
    const float steps[4] = {0, 1, 2, 3};
    return vld1q_f32(steps);
  }
};

}  // namespace
}  // namespace mlxr::simd
