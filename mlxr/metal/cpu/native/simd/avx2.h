// A vector of floats in 256-bit registers (AVX2, FMA and F16C).
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace mlxr::simd {

struct Avx2 {
  static constexpr int kWidth = 8;
  using Register = __m256;
  using Mask = __m256;

  static Register zero() { return _mm256_setzero_ps(); }
  static Register splat(float x) { return _mm256_set1_ps(x); }
  static Register load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, Register x) { _mm256_storeu_ps(p, x); }
  static Register load_half(const uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_half(uint16_t* p, Register x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static Register add(Register a, Register b) { return _mm256_add_ps(a, b); }
  static Register sub(Register a, Register b) { return _mm256_sub_ps(a, b); }
  static Register mul(Register a, Register b) { return _mm256_mul_ps(a, b); }
  static Register div(Register a, Register b) { return _mm256_div_ps(a, b); }
  static Register fma(Register a, Register b, Register c) { return _mm256_fmadd_ps(a, b, c); }
  static Register max(Register a, Register b) { return _mm256_max_ps(a, b); }
  static Register min(Register a, Register b) { return _mm256_min_ps(a, b); }
  static Register round(Register x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Register negative(Register x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }
  static Mask less(Register a, Register b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
  static Mask both(Mask a, Mask b) { return _mm256_and_ps(a, b); }
  static Mask either(Mask a, Mask b) { return _mm256_or_ps(a, b); }
  static Mask is_nan(Register x) { return _mm256_cmp_ps(x, x, _CMP_UNORD_Q); }
  static bool any(Mask m) { return _mm256_movemask_ps(m) != 0; }
  static Register select(Mask m, Register yes, Register no) { return _mm256_blendv_ps(no, yes, m); }
  static Register scale_by_power(Register x, Register n) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
  }
  /// Lane i is the sum of the lanes of x[i].
  static Register sums(const Register* x) {
    const auto fours = [&](int i) {
      return _mm256_hadd_ps(_mm256_hadd_ps(x[i], x[i + 1]), _mm256_hadd_ps(x[i + 2], x[i + 3]));
    };
    const Register low = fours(0), high = fours(4);
    return add(_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31));
  }
  static Register iota() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }
};

}  // namespace mlxr::simd
