// Sixteen lanes in 512-bit registers, with VNNI.
//
// VPDPBUSD adds four u8 x s8 products to each 32-bit lane. Signed weights are made unsigned by adding 128, which the sums of
// the activations' codes take out again.
#pragma once

// GCC 12's header starts its "undefined" vectors from themselves and then warns of it (GCC bug 105593).
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include "matmul_kernels.h"

namespace mlxr::kernels {

struct Avx512 {
  static constexpr int kRows = 8;
  static constexpr int kFloatRows = 8;
  static constexpr bool kSpillsCodes = false;
  static constexpr size_t kPrefetch = 3072;
  using Bytes = __m512i;
  using Ints = __m512i;
  using Floats = __m512;
  // Scales of the halves of a block as floats.
  struct HalfScales { __m512 first, second; };

  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  // Bytes.
  static Bytes load(const uint8_t* p) { return _mm512_loadu_si512(p); }
  template <int Right, int Mask>
  static Bytes field(Bytes v) {
    const __m512i mask = _mm512_set1_epi8(static_cast<char>(Mask));
    if constexpr (Right > 0) {
      return _mm512_and_si512(_mm512_srli_epi16(v, Right), mask);
    } else if constexpr (Right < 0) {
      return _mm512_and_si512(_mm512_slli_epi16(v, -Right), mask);
    } else {
      return _mm512_and_si512(v, mask);
    }
  }
  static Bytes either(Bytes x, Bytes y) { return _mm512_or_si512(x, y); }
  static Bytes look_up(const int8_t* table, Bytes index) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), index);
  }

  // Floats.
  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats splat(float v) { return _mm512_set1_ps(v); }
  static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
  static Floats multiply(Floats x, Floats y) { return _mm512_mul_ps(x, y); }
  static Floats multiply_add(Floats x, Floats y, Floats z) { return _mm512_fmadd_ps(x, y, z); }
  static Floats negative(Floats x) { return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f)); }
  static Floats to_floats(Ints v) { return _mm512_cvtepi32_ps(v); }

  // Sixteen numbers of a small format as floats.
  static Floats halves(const uint8_t* p) { return _mm512_cvtph_ps(thirty_two(p)); }
  static Floats bfloats(const uint8_t* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(thirty_two(p)), 16));
  }
  static Floats unsigned_bytes(const uint8_t* p) { return to_floats(_mm512_cvtepu8_epi32(sixteen(p))); }
  static Floats signed_bytes(const uint8_t* p) { return to_floats(_mm512_cvtepi8_epi32(sixteen(p))); }
  // E4M3 as halves of 1/256 of the value (half.h).
  static Floats e4m3(const uint8_t* p) {
    const __m256i v = _mm256_cvtepu8_epi16(sixteen(p));
    const __m256i largest = _mm256_set1_epi16(0x7f << 7);
    const __m256i magnitude = _mm256_and_si256(_mm256_slli_epi16(v, 7), largest);
    const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, largest);
    const __m256i sign = _mm256_and_si256(_mm256_slli_epi16(v, 8), _mm256_set1_epi16(static_cast<short>(0x8000)));
    const __m256i number = _mm256_mask_mov_epi16(magnitude, nan, _mm256_set1_epi16(0x7e00));
    return _mm512_cvtph_ps(_mm256_or_si256(number, sign));
  }
  template <int Shift>
  static Floats table16(const float* table, const uint8_t* p) {
    const __m512i index = _mm512_srli_epi32(_mm512_cvtepu8_epi32(sixteen(p)), Shift);  // the permute uses the low 4 bits
    return _mm512_permutexvar_ps(index, _mm512_loadu_ps(table));
  }

  // Quantization of a block: the largest |x|, NaN counting as larger than all; and codes round(x * inverse), with sums.
  static float largest_magnitude(const float* x) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const __m512i low = _mm512_and_si512(_mm512_castps_si512(_mm512_loadu_ps(x)), magnitude);
    const __m512i high = _mm512_and_si512(_mm512_castps_si512(_mm512_loadu_ps(x + 16)), magnitude);
    const int largest = _mm512_reduce_max_epi32(_mm512_max_epi32(low, high));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(largest)));
  }
  static void round_block(const float* x, float inverse, ActivationBlock& out) {
    for (int half = 0; half < 2; ++half) {
      const __m512i codes = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16 * half), _mm512_set1_ps(inverse)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out.codes + 16 * half), _mm512_cvtepi32_epi8(codes));
      out.half_sums[half] = static_cast<int16_t>(_mm512_reduce_add_epi32(codes));
    }
  }

  // Integer dot products of a block.
  static HalfScales half_scales(const uint8_t* p) { return split(_mm512_cvtepi8_epi16(thirty_two(p))); }
  static HalfScales half_scales_low_nibbles(const uint8_t* p) {
    return split(_mm512_and_si512(_mm512_cvtepu8_epi16(thirty_two(p)), _mm512_set1_epi16(15)));
  }
  static Ints pairs_high_nibbles(const uint8_t* p) { return _mm512_srli_epi16(_mm512_cvtepu8_epi16(thirty_two(p)), 4); }
  static Ints dot_pairs(Ints pairs, const int16_t* sums) { return _mm512_madd_epi16(pairs, broadcast(sums)); }

  // out[r] = sum over the block of (code - Zero) * x[r * stride]; codes are at most Max, or signed bytes if Max is 0.
  template <int Max, int Zero, int R>
  static void dot(const Bytes* codes, const ActivationBlock* x, int64_t stride, Ints* out) {
    constexpr int kZero = Max == 0 ? 128 : Zero;
    for (int r = 0; r < R; ++r) {
      out[r] = kZero ? _mm512_madd_epi16(broadcast(x[r * stride].half_sums), _mm512_set1_epi16(-kZero)) : _mm512_setzero_si512();
    }
    dot_groups<Max, 0, 8, R>(codes, x, stride, out);
  }

  // out[r] = scale of each half times the sum over it of (code - Zero) * x[r * stride]. Every step is an integer below
  // 2^24, so floats hold it exactly.
  template <int Max, int Zero, int R>
  static void dot_halves(const Bytes* codes, const HalfScales& s, const ActivationBlock* x, int64_t stride, Floats* out) {
    Ints low[R], high[R];
    for (int r = 0; r < R; ++r) {
      if constexpr (Zero != 0) {
        const __m512i sums = broadcast(x[r * stride].half_sums);
        low[r] = _mm512_madd_epi16(sums, _mm512_set1_epi32(-Zero & 0xffff));
        high[r] = _mm512_madd_epi16(sums, _mm512_set1_epi32(-Zero * 65536));
      } else {
        low[r] = high[r] = _mm512_setzero_si512();
      }
    }
    dot_groups<Max, 0, 4, R>(codes, x, stride, low);
    dot_groups<Max, 4, 4, R>(codes, x, stride, high);
    for (int r = 0; r < R; ++r) {
      out[r] = _mm512_fmadd_ps(to_floats(low[r]), s.first, _mm512_mul_ps(to_floats(high[r]), s.second));
    }
  }

 private:
  static __m128i sixteen(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static __m256i thirty_two(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static __m512i broadcast(const void* p) {
    int v;
    __builtin_memcpy(&v, p, sizeof(v));
    return _mm512_set1_epi32(v);
  }
  static HalfScales split(__m512i pairs) {
    return {to_floats(_mm512_srai_epi32(_mm512_slli_epi32(pairs, 16), 16)), to_floats(_mm512_srai_epi32(pairs, 16))};
  }

  // out[r] += sum over groups [First, First + Count).
  template <int Max, int First, int Count, int R>
  static void dot_groups(const Bytes* codes, const ActivationBlock* x, int64_t stride, Ints* out) {
#pragma GCC unroll 8
    for (int g = First; g < First + Count; ++g) {
      const __m512i c = Max == 0 ? _mm512_xor_si512(codes[g], _mm512_set1_epi8(static_cast<char>(0x80))) : codes[g];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) out[r] = _mm512_dpbusd_epi32(out[r], c, broadcast(x[r * stride].codes + 4 * g));
    }
  }
};

}  // namespace mlxr::kernels
