// A vector of floats as wide as the instruction set allows. The including file names the set (MLXR_SIMD_AVX2 and so on;
// none: portable) and is compiled with its flags; everything here lives in a namespace of that name, so that the linker
// never mixes two builds of one function.
//
// Rules that keep results independent of batch shape: multiply-adds are explicit, reductions follow one fixed tree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(MLXR_SIMD_AVX512)
#define MLXR_SIMD avx512
#include <immintrin.h>
#elif defined(MLXR_SIMD_AVX2)
#define MLXR_SIMD avx2
#include <immintrin.h>
#elif defined(MLXR_SIMD_NEON)
#define MLXR_SIMD neon
#include <arm_neon.h>
#else
#define MLXR_SIMD portable
#include "base/portable_half.h"
#endif

namespace mlxr::MLXR_SIMD {

#if defined(MLXR_SIMD_AVX512)

constexpr int kWidth = 16;
using F = __m512;
using Mask = __mmask16;

inline F zero() { return _mm512_setzero_ps(); }
inline F set1(float x) { return _mm512_set1_ps(x); }
inline F load(const float* p) { return _mm512_loadu_ps(p); }
inline void store(float* p, F x) { _mm512_storeu_ps(p, x); }
inline F load_half(const uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
inline void store_half(uint16_t* p, F x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
inline F add(F a, F b) { return _mm512_add_ps(a, b); }
inline F sub(F a, F b) { return _mm512_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm512_mul_ps(a, b); }
inline F div(F a, F b) { return _mm512_div_ps(a, b); }
inline F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
inline F max(F a, F b) { return _mm512_max_ps(a, b); }
inline F min(F a, F b) { return _mm512_min_ps(a, b); }
inline F round(F x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F abs(F x) { return _mm512_abs_ps(x); }
inline Mask less(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
inline Mask both(Mask a, Mask b) { return a & b; }
inline Mask either(Mask a, Mask b) { return a | b; }
inline Mask is_nan(F x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
inline bool any(Mask m) { return m != 0; }
inline F select(Mask m, F yes, F no) { return _mm512_mask_blend_ps(m, no, yes); }
/// x times 2^n for whole n in [-126, 127].
inline F scale_by_power(F x, F n) {
  return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23)));
}
inline F iota() { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

#elif defined(MLXR_SIMD_AVX2)

constexpr int kWidth = 8;
using F = __m256;
using Mask = __m256;

inline F zero() { return _mm256_setzero_ps(); }
inline F set1(float x) { return _mm256_set1_ps(x); }
inline F load(const float* p) { return _mm256_loadu_ps(p); }
inline void store(float* p, F x) { _mm256_storeu_ps(p, x); }
inline F load_half(const uint16_t* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
inline void store_half(uint16_t* p, F x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
inline F add(F a, F b) { return _mm256_add_ps(a, b); }
inline F sub(F a, F b) { return _mm256_sub_ps(a, b); }
inline F mul(F a, F b) { return _mm256_mul_ps(a, b); }
inline F div(F a, F b) { return _mm256_div_ps(a, b); }
inline F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
inline F max(F a, F b) { return _mm256_max_ps(a, b); }
inline F min(F a, F b) { return _mm256_min_ps(a, b); }
inline F round(F x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline F abs(F x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
inline Mask less(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
inline Mask both(Mask a, Mask b) { return _mm256_and_ps(a, b); }
inline Mask either(Mask a, Mask b) { return _mm256_or_ps(a, b); }
inline Mask is_nan(F x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
inline bool any(Mask m) { return _mm256_movemask_ps(m) != 0; }
inline F select(Mask m, F yes, F no) { return _mm256_blendv_ps(no, yes, m); }
inline F scale_by_power(F x, F n) {
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}
inline F iota() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }

#elif defined(MLXR_SIMD_NEON)

constexpr int kWidth = 4;
using F = float32x4_t;
using Mask = uint32x4_t;

inline F zero() { return vdupq_n_f32(0.0f); }
inline F set1(float x) { return vdupq_n_f32(x); }
inline F load(const float* p) { return vld1q_f32(p); }
inline void store(float* p, F x) { vst1q_f32(p, x); }
inline F load_half(const uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
inline void store_half(uint16_t* p, F x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
inline F add(F a, F b) { return vaddq_f32(a, b); }
inline F sub(F a, F b) { return vsubq_f32(a, b); }
inline F mul(F a, F b) { return vmulq_f32(a, b); }
inline F div(F a, F b) { return vdivq_f32(a, b); }
inline F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
inline F max(F a, F b) { return vmaxq_f32(a, b); }
inline F min(F a, F b) { return vminq_f32(a, b); }
inline F round(F x) { return vrndnq_f32(x); }
inline F abs(F x) { return vabsq_f32(x); }
inline Mask less(F a, F b) { return vcltq_f32(a, b); }
inline Mask both(Mask a, Mask b) { return vandq_u32(a, b); }
inline Mask either(Mask a, Mask b) { return vorrq_u32(a, b); }
inline Mask is_nan(F x) { return vmvnq_u32(vceqq_f32(x, x)); }
inline bool any(Mask m) { return vmaxvq_u32(m) != 0; }
inline F select(Mask m, F yes, F no) { return vbslq_f32(m, yes, no); }
inline F scale_by_power(F x, F n) {
  return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), vshlq_n_s32(vcvtnq_s32_f32(n), 23)));
}
inline F iota() {
  const float steps[4] = {0, 1, 2, 3};
  return vld1q_f32(steps);
}

#else

constexpr int kWidth = 4;
struct F { float lane[kWidth]; };
struct Mask { bool lane[kWidth]; };

template <class Op>
inline F map(Op op) {
  F out;
  for (int i = 0; i < kWidth; ++i) out.lane[i] = op(i);
  return out;
}
inline F zero() { return F{}; }
inline F set1(float x) {
  return map([&](int) { return x; });
}
inline F load(const float* p) {
  return map([&](int i) { return p[i]; });
}
inline void store(float* p, F x) { std::memcpy(p, x.lane, sizeof x.lane); }
inline F load_half(const uint16_t* p) {
  return map([&](int i) { return widen(p[i]); });
}
inline void store_half(uint16_t* p, F x) {
  for (int i = 0; i < kWidth; ++i) p[i] = narrow(x.lane[i]);
}
inline F add(F a, F b) {
  return map([&](int i) { return a.lane[i] + b.lane[i]; });
}
inline F sub(F a, F b) {
  return map([&](int i) { return a.lane[i] - b.lane[i]; });
}
inline F mul(F a, F b) {
  return map([&](int i) { return a.lane[i] * b.lane[i]; });
}
inline F div(F a, F b) {
  return map([&](int i) { return a.lane[i] / b.lane[i]; });
}
inline F fma(F a, F b, F c) {
  return map([&](int i) { return a.lane[i] * b.lane[i] + c.lane[i]; });
}
inline F max(F a, F b) {
  return map([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F min(F a, F b) {
  return map([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
}
inline F round(F x) {
  // Adding and taking away 1.5 * 2^23 leaves the nearest whole number, for what exp() asks: |x| below 2^22.
  return map([&](int i) { return (x.lane[i] + 12582912.0f) - 12582912.0f; });
}
inline F abs(F x) {
  return map([&](int i) { return x.lane[i] < 0 ? -x.lane[i] : x.lane[i]; });
}
inline Mask less(F a, F b) {
  Mask m;
  for (int i = 0; i < kWidth; ++i) m.lane[i] = a.lane[i] < b.lane[i];
  return m;
}
inline Mask both(Mask a, Mask b) {
  for (int i = 0; i < kWidth; ++i) a.lane[i] = a.lane[i] && b.lane[i];
  return a;
}
inline Mask either(Mask a, Mask b) {
  for (int i = 0; i < kWidth; ++i) a.lane[i] = a.lane[i] || b.lane[i];
  return a;
}
inline Mask is_nan(F x) {
  Mask m;
  for (int i = 0; i < kWidth; ++i) m.lane[i] = x.lane[i] != x.lane[i];
  return m;
}
inline bool any(Mask m) {
  bool found = false;
  for (int i = 0; i < kWidth; ++i) found = found || m.lane[i];
  return found;
}
inline F select(Mask m, F yes, F no) {
  return map([&](int i) { return m.lane[i] ? yes.lane[i] : no.lane[i]; });
}
inline F scale_by_power(F x, F n) {
  return map([&](int i) {
    int32_t bits;
    std::memcpy(&bits, &x.lane[i], 4);
    bits += static_cast<int32_t>(n.lane[i]) * (1 << 23);
    float out;
    std::memcpy(&out, &bits, 4);
    return out;
  });
}
inline F iota() {
  return map([](int i) { return static_cast<float>(i); });
}

#endif

/// Sum of the lanes, halves added to halves.
inline float sum(F x) {
  float lane[kWidth];
  store(lane, x);
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
  }
  return lane[0];
}

inline float largest(F x) {
  float lane[kWidth];
  store(lane, x);
  for (int half = kWidth / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
  }
  return lane[0];
}

}  // namespace mlxr::MLXR_SIMD
