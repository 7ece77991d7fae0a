// Products of 16-bit codes in 512-bit registers, with VNNI.
#pragma once

#include "kernels/int16_matmul.h"
#include "kernels/lanes_avx512.h"

namespace mlxr::kernels {

struct Avx512Int16 : Avx512Lanes {
  static constexpr int kInt16Rows = 12;

  // VPDPWSSD multiplies and adds at once, so that nothing is won by Winograd's way and there is nothing to take away.
  static void start_sums(const int32_t*, int32_t* sums) { _mm512_storeu_si512(sums, _mm512_setzero_si512()); }
  static Ints corrected(const int32_t* sums, int32_t) { return _mm512_loadu_si512(sums); }
  static int32_t correction_sum(const int16_t*, int64_t) { return 0; }
  template <int R>
  static void add_products(const int16_t* w, int64_t cols, const int16_t* x, int64_t ldx, int32_t* sums) {
    __m512i totals[R];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) totals[r] = _mm512_loadu_si512(sums + 16 * r);
    for (const int16_t* end = x + cols; x != end; x += 2, w += 32) {
      const __m512i weights = _mm512_loadu_si512(w);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        int pair;
        __builtin_memcpy(&pair, x + r * ldx, sizeof(pair));
        totals[r] = _mm512_dpwssd_epi32(totals[r], weights, _mm512_set1_epi32(pair));
      }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) _mm512_storeu_si512(sums + 16 * r, totals[r]);
  }
  static float sum_of_squares(const float* x, int64_t count) {
    __m512 sums = _mm512_setzero_ps();
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const __m512 v = _mm512_loadu_ps(x + i);
      sums = _mm512_fmadd_ps(v, v, sums);
    }
    float total = _mm512_reduce_add_ps(sums);
    for (; i < count; ++i) total += x[i] * x[i];
    return total;
  }
  static void round_int16(const float* x, int64_t count, float inverse, int16_t* codes) {
    const __m512 scale = _mm512_set1_ps(inverse);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), scale));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i), _mm512_cvtsepi32_epi16(whole));
    }
    for (; i < count; ++i) codes[i] = static_cast<int16_t>(_mm_cvtss_si32(_mm_set_ss(x[i] * inverse)));
  }
};

}  // namespace mlxr::kernels
