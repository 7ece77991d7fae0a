// Products of 16-bit codes in 256-bit registers.
#pragma once

#include "kernels/int16_matmul.h"
#include "kernels/lanes_avx2.h"

namespace mlxr::kernels {

// Winograd's inner product (IEEE Transactions on Computers C-17, 1968): of four input features,
//   w0 x0 + w1 x1 + w2 x2 + w3 x3 = (w0 + x2)(w2 + x0) + (w1 + x3)(w3 + x1) - (w0 w2 + w1 w3) - (x0 x2 + x1 x3),
// of which the last two are known beforehand. One VPMADDWD and three additions take the place of two and two: as many
// operations, but Zen gives an addition to any of its four pipes at random, also to the two that multiply, and with one
// multiplication in four the pipes stay full.
struct Avx2Int16 : Avx2Lanes {
  static constexpr int kInt16Rows = 4;  // 8 sums, 4 registers of weights, and 4 for the operands

  static __m256i at(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void put(int32_t* p, __m256i v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }

  static void start_sums(const int32_t* corrections, int32_t* sums) {
    put(sums, _mm256_sub_epi32(_mm256_setzero_si256(), at(corrections)));
    put(sums + 8, _mm256_sub_epi32(_mm256_setzero_si256(), at(corrections + 8)));
  }
  static Ints corrected(const int32_t* sums, int32_t correction) {
    const __m256i all = _mm256_set1_epi32(correction);
    return {_mm256_sub_epi32(at(sums), all), _mm256_sub_epi32(at(sums + 8), all)};
  }
  static __m256i pair(const int16_t* x) {
    int two;
    __builtin_memcpy(&two, x, sizeof(two));
    return _mm256_set1_epi32(two);
  }
  // By name, so that GCC neither puts the additions behind all products, on the stack, nor moves sums between
  // registers.
  [[gnu::always_inline]] static void add_to(__m256i& total, __m256i products) {
    asm("vpaddd %1, %0, %0" : "+x"(total) : "x"(products));
  }
  // A stretch of a panel times R rows, added to their sums.
  template <int R>
  static void add_products(const int16_t* w, int64_t cols, const int16_t* x, int64_t ldx, int32_t* sums) {
    __m256i totals[2 * R];
#pragma GCC unroll 8
    for (int i = 0; i < 2 * R; ++i) totals[i] = at(sums + 8 * i);
    for (const int16_t* end = x + cols; x != end; x += 4, w += 64) {
      const Bytes first = load(reinterpret_cast<const uint8_t*>(w)),
                  second = load(reinterpret_cast<const uint8_t*>(w + 32));
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const __m256i early = pair(x + r * ldx), late = pair(x + r * ldx + 2);
        add_to(totals[2 * r], _mm256_madd_epi16(_mm256_add_epi16(first.a, late), _mm256_add_epi16(second.a, early)));
        add_to(totals[2 * r + 1],
               _mm256_madd_epi16(_mm256_add_epi16(first.b, late), _mm256_add_epi16(second.b, early)));
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < 2 * R; ++i) put(sums + 8 * i, totals[i]);
  }
  static float sum_of_squares(const float* x, int64_t count) {
    __m256 sums[4] = {};
    int64_t i = 0;
    for (; i + 32 <= count; i += 32) {
      for (int k = 0; k < 4; ++k) {
        const __m256 v = _mm256_loadu_ps(x + i + 8 * k);
        sums[k] = _mm256_fmadd_ps(v, v, sums[k]);
      }
    }
    float lanes[8], total = 0;
    _mm256_storeu_ps(lanes, _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
    for (const float lane : lanes) total += lane;
    for (; i < count; ++i) total += x[i] * x[i];
    return total;
  }
  static void round_int16(const float* x, int64_t count, float inverse, int16_t* codes) {
    const __m256 scale = _mm256_set1_ps(inverse);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const auto eight_at = [&](int64_t at) {
        return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + at), scale));
      };
      const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(eight_at(i), eight_at(i + 8)), 0xd8);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i), both);
    }
    for (; i < count; ++i) codes[i] = static_cast<int16_t>(_mm_cvtss_si32(_mm_set_ss(x[i] * inverse)));
  }
  static int32_t correction_sum(const int16_t* codes, int64_t count) {
    const __m256i early = _mm256_set1_epi64x(0xffffffff);
    __m256i sums = _mm256_setzero_si256();
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const __m256i v = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes + i));
      sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_and_si256(v, early), _mm256_srli_epi64(v, 32)));
    }
    uint32_t lanes[8], total = 0;
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes), sums);
    for (const uint32_t lane : lanes) total += lane;
    for (; i < count; i += 4) total += static_cast<uint32_t>(codes[i] * codes[i + 2] + codes[i + 1] * codes[i + 3]);
    return static_cast<int32_t>(total);
  }
};

}  // namespace mlxr::kernels
