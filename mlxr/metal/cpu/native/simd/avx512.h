// A vector of floats in 512-bit registers (AVX-512 F and DQ).
#pragma once

// GCC 12's header starts its "undefined" vectors from themselves and then warns of it (GCC bug 105593).
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <cstdint>

namespace mlxr::simd {

struct Avx512 {
  static constexpr int kWidth = 16;
  using Register = __m512;
  using Mask = __mmask16;

  static Register zero() { return _mm512_setzero_ps(); }
  static Register splat(float x) { return _mm512_set1_ps(x); }
  static Register load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Register x) { _mm512_storeu_ps(p, x); }
  static Register load_half(const uint16_t* p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void store_half(uint16_t* p, Register x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static Register add(Register a, Register b) { return _mm512_add_ps(a, b); }
  static Register sub(Register a, Register b) { return _mm512_sub_ps(a, b); }
  static Register mul(Register a, Register b) { return _mm512_mul_ps(a, b); }
  static Register div(Register a, Register b) { return _mm512_div_ps(a, b); }
  static Register fma(Register a, Register b, Register c) { return _mm512_fmadd_ps(a, b, c); }
  static Register max(Register a, Register b) { return _mm512_max_ps(a, b); }
  static Register min(Register a, Register b) { return _mm512_min_ps(a, b); }
  static Register round(Register x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Register negative(Register x) { return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f)); }
  static Mask less(Register a, Register b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  static Mask both(Mask a, Mask b) { return a & b; }
  static Mask either(Mask a, Mask b) { return a | b; }
  static Mask is_nan(Register x) { return _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q); }
  static bool any(Mask m) { return m != 0; }
  static Register select(Mask m, Register yes, Register no) { return _mm512_mask_blend_ps(m, no, yes); }
  /// x times 2^n for whole n in [-126, 127].
  static Register scale_by_power(Register x, Register n) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23)));
  }
  /// Lane i is the sum of the lanes of x[i].
  static Register sums(const Register* x) {
    const auto pairs = [&](int i) {
      return add(_mm512_unpacklo_ps(x[i], x[i + 1]), _mm512_unpackhi_ps(x[i], x[i + 1]));
    };
    // In every quarter of the register: four sums of four lanes.
    const auto fours = [&](int i) {
      const Register low = pairs(i), high = pairs(i + 2);
      return add(_mm512_shuffle_ps(low, high, 0x44), _mm512_shuffle_ps(low, high, 0xee));
    };
    const auto quarters = [](Register a, Register b) {
      return add(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    };
    return quarters(quarters(fours(0), fours(4)), quarters(fours(8), fours(12)));
  }
  static Register iota() { return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
};

}  // namespace mlxr::simd
