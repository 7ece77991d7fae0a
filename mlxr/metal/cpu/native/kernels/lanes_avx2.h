// Sixteen lanes in pairs of 256-bit registers.
//
// A lane is an output feature. A group is 4 consecutive input features, 4 bytes in each lane. The u8 x s8 product
// VPMADDUBSW adds two neighbours in 16 bits, so several groups add up before they must widen: 8 of codes up to 15,
// 4 up to 31, 2 up to 63 (each |2 * code * 127| times groups stays below 2^15).
#pragma once

#include <immintrin.h>

#include "matmul_kernels.h"

namespace mlxr::kernels {

struct Avx2 {
  static constexpr int kRows = 4;         // activation rows of one register tile
  static constexpr int kFloatRows = 4;    // the same for float weights
  static constexpr bool kSpillsCodes = true;
  static constexpr size_t kPrefetch = 3072;  // bytes ahead of the codes in use
  struct Bytes { __m256i a, b; };
  struct Ints { __m256i a, b; };
  struct Floats { __m256 a, b; };
  // Scales of the halves of a block: as pairs of 16 bits, and each twice.
  struct HalfScales { Ints pairs, first, second; };

  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  // Bytes.
  static Bytes load(const uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  // ((v >> right) & mask), a negative `right` shifts left; bits may cross bytes only where the mask drops them.
  template <int Right, int Mask>
  static Bytes field(Bytes v) {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(Mask));
    if constexpr (Right > 0) {
      return {_mm256_and_si256(_mm256_srli_epi16(v.a, Right), mask), _mm256_and_si256(_mm256_srli_epi16(v.b, Right), mask)};
    } else if constexpr (Right < 0) {
      return {_mm256_and_si256(_mm256_slli_epi16(v.a, -Right), mask), _mm256_and_si256(_mm256_slli_epi16(v.b, -Right), mask)};
    } else {
      return {_mm256_and_si256(v.a, mask), _mm256_and_si256(v.b, mask)};
    }
  }
  static Bytes either(Bytes x, Bytes y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
  static Bytes look_up(const int8_t* table, Bytes index) {
    const __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
    return {_mm256_shuffle_epi8(t, index.a), _mm256_shuffle_epi8(t, index.b)};
  }

  // Floats.
  static Floats zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Floats splat(float v) { return {_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
  static Floats load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, Floats v) {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
  }
  static Floats multiply(Floats x, Floats y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static Floats multiply_add(Floats x, Floats y, Floats z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
  static Floats negative(Floats x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign)};
  }
  static Floats to_floats(Ints v) { return {_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)}; }

  // Sixteen numbers of a small format as floats.
  static Floats halves(const uint8_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
            _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16)))};
  }
  static Floats bfloats(const uint8_t* p) { return {widen_bfloat(p), widen_bfloat(p + 16)}; }
  static Floats unsigned_bytes(const uint8_t* p) {
    return to_floats({_mm256_cvtepu8_epi32(eight(p)), _mm256_cvtepu8_epi32(eight(p + 8))});
  }
  static Floats signed_bytes(const uint8_t* p) {
    return to_floats({_mm256_cvtepi8_epi32(eight(p)), _mm256_cvtepi8_epi32(eight(p + 8))});
  }
  // E4M3 as halves of 1/256 of the value (half.h).
  static Floats e4m3(const uint8_t* p) {
    const __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const __m256i largest = _mm256_set1_epi16(0x7f << 7);
    __m256i magnitude = _mm256_and_si256(_mm256_slli_epi16(v, 7), largest);
    const __m256i nan = _mm256_and_si256(_mm256_cmpeq_epi16(magnitude, largest), _mm256_set1_epi16(0x7e00));
    magnitude = _mm256_or_si256(magnitude, nan);
    const __m256i sign = _mm256_and_si256(_mm256_slli_epi16(v, 8), _mm256_set1_epi16(static_cast<short>(0x8000)));
    const __m256i half = _mm256_or_si256(magnitude, sign);
    return {_mm256_cvtph_ps(_mm256_castsi256_si128(half)), _mm256_cvtph_ps(_mm256_extracti128_si256(half, 1))};
  }
  // Entries of a 16-value table at the low (Shift 0) or high (Shift 4) nibbles.
  template <int Shift>
  static Floats table16(const float* table, const uint8_t* p) {
    return {look_up_8<Shift>(table, p), look_up_8<Shift>(table, p + 8)};
  }

  // Quantization of a block: the largest |x|, NaN counting as larger than all; and codes round(x * inverse), with sums.
  static float largest_magnitude(const float* x) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    const auto eight_at = [&](int i) { return _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), magnitude); };
    const __m256i m = _mm256_max_epi32(_mm256_max_epi32(eight_at(0), eight_at(8)), _mm256_max_epi32(eight_at(16), eight_at(24)));
    __m128i n = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
    n = _mm_max_epi32(n, _mm_shuffle_epi32(n, 0x4e));
    n = _mm_max_epi32(n, _mm_shuffle_epi32(n, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(n));
  }
  static void round_block(const float* x, float inverse, ActivationBlock& out) {
    const __m256 scale = _mm256_set1_ps(inverse);
    const auto eight_at = [&](int i) { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale)); };
    const __m256i low = _mm256_permute4x64_epi64(_mm256_packs_epi32(eight_at(0), eight_at(8)), 0xd8);
    const __m256i high = _mm256_permute4x64_epi64(_mm256_packs_epi32(eight_at(16), eight_at(24)), 0xd8);
    const __m256i codes = _mm256_permute4x64_epi64(_mm256_packs_epi16(low, high), 0xd8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out.codes), codes);
    const __m256i one = _mm256_set1_epi16(1);
    const __m256i sums = _mm256_hadd_epi32(_mm256_madd_epi16(low, one), _mm256_madd_epi16(high, one));
    const __m256i pairs = _mm256_hadd_epi32(sums, sums);
    const __m128i total = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    out.half_sums[0] = static_cast<int16_t>(_mm_extract_epi32(total, 0));
    out.half_sums[1] = static_cast<int16_t>(_mm_extract_epi32(total, 1));
  }

  // Integer dot products of a block.
  static HalfScales half_scales(const uint8_t* p) {
    return half_scales(Ints{_mm256_cvtepi8_epi16(sixteen(p)), _mm256_cvtepi8_epi16(sixteen(p + 16))});
  }
  static HalfScales half_scales_low_nibbles(const uint8_t* p) {
    const __m256i mask = _mm256_set1_epi16(15);
    return half_scales(Ints{_mm256_and_si256(_mm256_cvtepu8_epi16(sixteen(p)), mask),
                            _mm256_and_si256(_mm256_cvtepu8_epi16(sixteen(p + 16)), mask)});
  }
  static Ints pairs_high_nibbles(const uint8_t* p) {
    return {_mm256_srli_epi16(_mm256_cvtepu8_epi16(sixteen(p)), 4), _mm256_srli_epi16(_mm256_cvtepu8_epi16(sixteen(p + 16)), 4)};
  }
  // Per lane: pair[0] * sums[0] + pair[1] * sums[1].
  static Ints dot_pairs(Ints pairs, const int16_t* sums) {
    const __m256i s = broadcast(sums);
    return {_mm256_madd_epi16(pairs.a, s), _mm256_madd_epi16(pairs.b, s)};
  }

  // out[r] = sum over the block of (code - Zero) * x[r * stride]; codes are at most Max, or signed bytes if Max is 0.
  template <int Max, int Zero, int R>
  static void dot(const Bytes* codes, const ActivationBlock* x, int64_t stride, Ints* out) {
    const __m256i one = _mm256_set1_epi16(1);
    const Ints ones{one, one};
    for (int r = 0; r < R; ++r) {
      out[r].a = out[r].b =
          Zero ? _mm256_madd_epi16(broadcast(x[r * stride].half_sums), _mm256_set1_epi16(-Zero)) : _mm256_setzero_si256();
    }
    dot_groups<Max, 0, 8, R>(codes, ones, x, stride, out);
  }

  // out[r] = scale of each half times the sum over it of (code - Zero) * x[r * stride]; exact, below 2^24.
  template <int Max, int Zero, int R>
  static void dot_halves(const Bytes* codes, const HalfScales& s, const ActivationBlock* x, int64_t stride,
                         Floats* out) {
    Ints sum[R];
    for (int r = 0; r < R; ++r) {
      if constexpr (Zero != 0) {
        const Ints product = dot_pairs(s.pairs, x[r * stride].half_sums);
        const __m256i minus_zero = _mm256_set1_epi32(-Zero);
        sum[r] = {_mm256_mullo_epi32(product.a, minus_zero), _mm256_mullo_epi32(product.b, minus_zero)};
      } else {
        sum[r] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
      }
    }
    dot_groups<Max, 0, 4, R>(codes, s.first, x, stride, sum);
    dot_groups<Max, 4, 4, R>(codes, s.second, x, stride, sum);
    for (int r = 0; r < R; ++r) out[r] = to_floats(sum[r]);
  }

 private:
  static __m128i eight(const uint8_t* p) { return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)); }
  static __m128i sixteen(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static __m256i broadcast(const void* p) {
    int v;
    __builtin_memcpy(&v, p, sizeof(v));
    return _mm256_set1_epi32(v);
  }
  static __m256 widen_bfloat(const uint8_t* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(sixteen(p)), 16));
  }
  template <int Shift>
  static __m256 look_up_8(const float* table, const uint8_t* p) {
    const __m256i index = _mm256_srli_epi32(_mm256_cvtepu8_epi32(eight(p)), Shift);  // the permutes use the low 3 bits only
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
  }
  static HalfScales half_scales(Ints pairs) {
    const __m256i first = _mm256_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13, 0, 1, 0, 1, 4, 5, 4, 5, 8, 9,
                                           8, 9, 12, 13, 12, 13);
    const __m256i second = _mm256_add_epi8(first, _mm256_set1_epi8(2));
    return {pairs,
            {_mm256_shuffle_epi8(pairs.a, first), _mm256_shuffle_epi8(pairs.b, first)},
            {_mm256_shuffle_epi8(pairs.a, second), _mm256_shuffle_epi8(pairs.b, second)}};
  }

  // Sums as they run: left alone, GCC puts all additions behind all products, which then need the stack.
  static void keep_in_registers(Ints& v) { asm volatile("" : "+x"(v.a), "+x"(v.b)); }

  // out[r] += scale (16-bit pairs) * sum over groups [First, First + Count).
  template <int Max, int First, int Count, int R>
  static void dot_groups(const Bytes* codes, Ints scale, const ActivationBlock* x, int64_t stride, Ints* out) {
    constexpr int kSafe = Max == 0 ? 1 : Max <= 15 ? 8 : Max <= 31 ? 4 : 2;
    constexpr int kStep = kSafe < Count ? kSafe : Count;
#pragma GCC unroll 8
    for (int start = First; start < First + Count; start += kStep) {
      Ints sum[R];
#pragma GCC unroll 8
      for (int g = start; g < start + kStep; ++g) {
        const Bytes c = codes[g];
        const Bytes magnitude = Max == 0 ? Bytes{_mm256_abs_epi8(c.a), _mm256_abs_epi8(c.b)} : c;
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          const __m256i v = broadcast(x[r * stride].codes + 4 * g);
          const __m256i a = _mm256_maddubs_epi16(magnitude.a, Max == 0 ? _mm256_sign_epi8(v, c.a) : v);
          const __m256i b = _mm256_maddubs_epi16(magnitude.b, Max == 0 ? _mm256_sign_epi8(v, c.b) : v);
          sum[r] = g == start ? Ints{a, b} : Ints{_mm256_add_epi16(sum[r].a, a), _mm256_add_epi16(sum[r].b, b)};
          keep_in_registers(sum[r]);
        }
      }
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        out[r].a = _mm256_add_epi32(out[r].a, _mm256_madd_epi16(sum[r].a, scale.a));
        out[r].b = _mm256_add_epi32(out[r].b, _mm256_madd_epi16(sum[r].b, scale.b));
      }
    }
  }
};

}  // namespace mlxr::kernels
