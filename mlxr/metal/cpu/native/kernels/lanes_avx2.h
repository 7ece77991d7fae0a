// Sixteen lanes in pairs of 256-bit registers.
//
// A lane is an output feature. A group is 4 consecutive input features, 4 bytes in each lane. They widen to 16 bits as
// bytes 0 and 2 and bytes 1 and 3, which keeps them in their lane, and activations lie in that order. VPMADDWD then
// multiplies and adds two neighbours in 32 bits.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/matmul_args.h"
#include "simd/avx2.h"
#include "simd/lanes.h"

namespace mlxr::kernels {

struct Avx2Lanes : simd::Lanes<simd::Avx2> {
  using Lanes::load;
  static constexpr int kRows = 4;            // activation rows of one register tile
  static constexpr int kPanels = 1;          // panels of a whole tile
  static constexpr int kTile = 16;           // rows for which a block of codes is unpacked once
  static constexpr int kFloatRows = 4;       // the same for float weights
  static constexpr size_t kPrefetch = 3072;  // bytes ahead of the codes in use
  using Block = Int16Block;
  using SingleRowBlock = Int16AndByteBlock;
  static constexpr bool kHasSingleRowDot = true;  // has dot_single_row
  static constexpr ScaledAs kScaledAs = ScaledAs::Int16;
  static constexpr int kScaledRows = 4;  // the fewest of a block that is worth multiplying by its scales
  struct Bytes { __m256i a, b; };
  struct Ints { __m256i a, b; };
  struct Weights { Bytes even, odd; };  // 16 bits each

  static void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }

  // Bytes.
  static Bytes load(const uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
  }
  // ((v >> right) & mask), a negative `right` shifts left; bits may cross bytes only where the mask drops them.
  template <int Right, int Mask>
  static Bytes field(Bytes v) {
    const __m256i mask = _mm256_set1_epi8(static_cast<char>(Mask));
    if constexpr (Right > 0) {
      return {_mm256_and_si256(_mm256_srli_epi16(v.a, Right), mask),
              _mm256_and_si256(_mm256_srli_epi16(v.b, Right), mask)};
    } else if constexpr (Right < 0) {
      return {_mm256_and_si256(_mm256_slli_epi16(v.a, -Right), mask),
              _mm256_and_si256(_mm256_slli_epi16(v.b, -Right), mask)};
    } else {
      return {_mm256_and_si256(v.a, mask), _mm256_and_si256(v.b, mask)};
    }
  }
  static Bytes either(Bytes x, Bytes y) { return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)}; }
  static Bytes look_up(const uint8_t* table, Bytes index) {
    const __m256i t = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
    return {_mm256_shuffle_epi8(t, index.a), _mm256_shuffle_epi8(t, index.b)};
  }

  // Floats.
  static Floats to_floats(Ints v) { return {_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)}; }

  // Sixteen numbers of a small format as floats.
  static Floats load_bfloat(const uint8_t* p) { return {widen_bfloat(p), widen_bfloat(p + 16)}; }
  static Floats load_unsigned_bytes(const uint8_t* p) {
    return to_floats({_mm256_cvtepu8_epi32(eight(p)), _mm256_cvtepu8_epi32(eight(p + 8))});
  }
  static Floats load_signed_bytes(const uint8_t* p) {
    return to_floats({_mm256_cvtepi8_epi32(eight(p)), _mm256_cvtepi8_epi32(eight(p + 8))});
  }
  // E4M3 as halves of 1/256 of the value (base/half.h).
  static Floats load_e4m3(const uint8_t* p) {
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
    const auto eight_at = [&](int i) {
      return _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + i)), magnitude);
    };
    const __m256i m =
        _mm256_max_epi32(_mm256_max_epi32(eight_at(0), eight_at(8)), _mm256_max_epi32(eight_at(16), eight_at(24)));
    __m128i n = _mm_max_epi32(_mm256_castsi256_si128(m), _mm256_extracti128_si256(m, 1));
    n = _mm_max_epi32(n, _mm_shuffle_epi32(n, 0x4e));
    n = _mm_max_epi32(n, _mm_shuffle_epi32(n, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(n));
  }
  template <class Block>
  static void round_block(const float* x, float inverse, Block& out, int32_t* half_sums) {
    const __m256 scale = _mm256_set1_ps(inverse);
    const auto eight_at = [&](int i) { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale)); };
    const auto half_at = [&](int i) {
      return _mm256_permute4x64_epi64(_mm256_packs_epi32(eight_at(i), eight_at(i + 8)), 0xd8);
    };
    const __m256i first = half_at(0), second = half_at(16);
    store_int16(first, second, out);
    if constexpr (std::is_same_v<Block, SingleRowBlock>) store_bytes(first, second, out);
    const __m256i ones = _mm256_set1_epi16(1);
    const __m256i sums = _mm256_hadd_epi32(_mm256_madd_epi16(first, ones), _mm256_madd_epi16(second, ones));
    const __m256i pairs = _mm256_hadd_epi32(sums, sums);
    const __m128i total = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    half_sums[0] = _mm_extract_epi32(total, 0);
    half_sums[1] = _mm_extract_epi32(total, 1);
  }

  // Nibbles of bytes, those from bit Shift on.
  template <int Shift>
  static Floats load_nibbles(const uint8_t* p) {
    const auto eight_at = [&](int i) {
      return _mm256_cvtepu8_epi32(_mm_and_si128(_mm_srli_epi16(eight(p + i), Shift), _mm_set1_epi8(15)));
    };
    return to_floats({eight_at(0), eight_at(8)});
  }

  // Integer scales of one half of a block.
  template <int kBits>
  static Ints load_integers(const uint8_t* p) {
    if constexpr (kBits == 4) {
      const auto nibbles = [](const uint8_t* q) { return _mm_and_si128(eight(q), _mm_set1_epi8(15)); };
      return {_mm256_cvtepu8_epi32(nibbles(p)), _mm256_cvtepu8_epi32(nibbles(p + 8))};
    }
    return {_mm256_cvtepi8_epi32(eight(p)), _mm256_cvtepi8_epi32(eight(p + 8))};
  }
  static Ints multiply(Ints x, Ints y) { return {_mm256_mullo_epi32(x.a, y.a), _mm256_mullo_epi32(x.b, y.b)}; }
  static Ints add(Ints x, Ints y) { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
  // Less kZero times `count`.
  template <int kZero>
  static Ints less(Ints x, int32_t count) {
    const __m256i zero = _mm256_set1_epi32(static_cast<int32_t>(kZero * static_cast<uint32_t>(count)));
    return {_mm256_sub_epi32(x.a, zero), _mm256_sub_epi32(x.b, zero)};
  }

  // What codes of one half of a block are multiplied by, in even bytes and in odd ones, and what the products, int16,
  // are then less.
  template <int kZero>
  struct Factors {
    Bytes even, odd, zero;
  };
  template <int kBits, int kZero>
  static Factors<kZero> factors(const uint8_t* p) {
    const auto twice = [](__m256i v) {
      return _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)), _mm256_slli_epi32(v, 16));
    };
    const Ints scale = load_integers<kBits>(p);
    const Bytes factors = {twice(scale.a), twice(scale.b)};
    const __m256i low = _mm256_set1_epi16(255), zero = _mm256_set1_epi16(kZero);
    return {{_mm256_and_si256(factors.a, low), _mm256_and_si256(factors.b, low)},
            {_mm256_slli_epi16(factors.a, 8), _mm256_slli_epi16(factors.b, 8)},
            {_mm256_mullo_epi16(factors.a, zero), _mm256_mullo_epi16(factors.b, zero)}};
  }
  template <int kZero>
  static Weights times(const Factors<kZero>& f, Bytes codes) {
    const auto scaled = [&](const Bytes& scales) {
      const Bytes products = {_mm256_maddubs_epi16(codes.a, scales.a), _mm256_maddubs_epi16(codes.b, scales.b)};
      if constexpr (kZero == 0) return products;
      return Bytes{_mm256_sub_epi16(products.a, f.zero.a), _mm256_sub_epi16(products.b, f.zero.b)};
    };
    return {scaled(f.even), scaled(f.odd)};
  }

  // Group G's codes as they are multiplied.
  template <int kBits, int G>
  static void spread(Bytes codes, Weights* weights) {
    weights[G] = widen(codes);
  }

  // out[r] = sum of weight * x[r * stride] over groups [kFirst, kFirst + kCount), without the bias of 8-bit weights.
  template <int kBits, int kFirst, int kCount, int R>
  [[gnu::always_inline]] static void dot(const Weights* weights, const Int16Block* x, int64_t stride, Ints* out) {
    // The registers belong to the sums: weights are read from the first-level cache as they are needed.
    asm volatile("" : "+r"(weights) : : "memory");
#pragma GCC unroll 8
    for (int g = kFirst; g < kFirst + kCount; ++g) {
#pragma GCC unroll 2
      for (int odd = 0; odd < 2; ++odd) {
        const Bytes w = odd ? weights[g].odd : weights[g].even;
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          const Int16Block& row = x[r * stride];
          const __m256i v = broadcast(row.codes + 4 * g + 2 * odd);
          Ints products = {_mm256_madd_epi16(w.a, v), _mm256_madd_epi16(w.b, v)};
          if (kBits == 8 && g == kFirst && !odd) products = add(products, {broadcast(&row.bias), broadcast(&row.bias)});
          out[r] = g == kFirst && !odd ? products : add(out[r], products);
          keep_in_registers(out[r]);
        }
      }
    }
  }

  // The same for a single row, from codes as they leave their block. Codes of up to 6 bits meet high and low bytes
  // apart: VPMADDUBSW products add up in 16 bits for a run of groups, and nothing needs widening before.
  template <int kBits, int kFirst, int kCount, class Codes>
  [[gnu::always_inline]] static Ints dot_single_row(const Codes& codes, const SingleRowBlock& x) {
    return dot_single_row<kBits, kFirst>(codes, x, std::make_integer_sequence<int, kCount>());
  }

 private:
  static Weights widen(Bytes v) {
    const __m256i mask = _mm256_set1_epi16(255);
    return {{_mm256_and_si256(v.a, mask), _mm256_and_si256(v.b, mask)},
            {_mm256_srli_epi16(v.a, 8), _mm256_srli_epi16(v.b, 8)}};
  }
  static void store_codes(void* p, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  static void store_int16(__m256i first, __m256i second, Int16Block& out) {
    const __m256i order =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
    store_codes(out.codes, _mm256_shuffle_epi8(first, order));
    store_codes(out.codes + 16, _mm256_shuffle_epi8(second, order));
  }
  static void store_bytes(__m256i first, __m256i second, SingleRowBlock& out) {
    const auto high = [](__m256i codes) {
      return _mm256_srai_epi16(_mm256_add_epi16(codes, _mm256_set1_epi16(128)), 8);
    };
    const auto low = [](__m256i codes) { return _mm256_and_si256(codes, _mm256_set1_epi16(255)); };
    store_codes(out.high, _mm256_permute4x64_epi64(_mm256_packs_epi16(high(first), high(second)), 0xd8));
    store_codes(out.low, _mm256_permute4x64_epi64(_mm256_packus_epi16(low(first), low(second)), 0xd8));
  }
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
    const __m256i index =
        _mm256_srli_epi32(_mm256_cvtepu8_epi32(eight(p)), Shift);  // the permutes use the low 3 bits only
    const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index);
    const __m256 high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), index);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
  }
  static Ints multiply_pairs(Ints x, __m256i y) { return {_mm256_madd_epi16(x.a, y), _mm256_madd_epi16(x.b, y)}; }

  template <int kBits, int kFirst, class Codes, int... G>
  [[gnu::always_inline]] static Ints dot_single_row(const Codes& codes, const SingleRowBlock& x,
                                                    std::integer_sequence<int, G...>) {
    Ints total;
    if constexpr (kBits == 8) {
      total = {broadcast(&x.bias), broadcast(&x.bias)};
      (add_wide(codes.template group<kFirst + G>(), x.codes + 4 * (kFirst + G), total), ...);
    } else {
      constexpr int kLargest = 2 * 128 * ((1 << kBits) - 1);  // of one VPMADDUBSW
      constexpr int kRun = 32767 / kLargest;
      Ints high, low;  // sums of 16 bits
      (add_narrow<(G % kRun == 0)>(codes.template group<kFirst + G>(), x, 4 * (kFirst + G), high, low,
                                   G % kRun == kRun - 1 || G == sizeof...(G) - 1, G < kRun, total),
       ...);
    }
    return total;
  }
  [[gnu::always_inline]] static void add_wide(Bytes w, const int16_t* x, Ints& total) {
    const Weights codes = widen(w);
    const __m256i even = broadcast(x), odd = broadcast(x + 2);
    total = add(total, {_mm256_madd_epi16(codes.even.a, even), _mm256_madd_epi16(codes.even.b, even)});
    keep_in_registers(total);
    total = add(total, {_mm256_madd_epi16(codes.odd.a, odd), _mm256_madd_epi16(codes.odd.b, odd)});
    keep_in_registers(total);
  }
  template <bool kOpens>
  [[gnu::always_inline]] static void add_narrow(Bytes w, const SingleRowBlock& x, int at, Ints& high, Ints& low,
                                                bool closes, bool first, Ints& total) {
    const __m256i h = broadcast(x.high + at), l = broadcast(x.low + at);
    const Ints highs = {_mm256_maddubs_epi16(w.a, h), _mm256_maddubs_epi16(w.b, h)};
    const Ints lows = {_mm256_maddubs_epi16(w.a, l), _mm256_maddubs_epi16(w.b, l)};
    high = kOpens ? highs : Ints{_mm256_add_epi16(high.a, highs.a), _mm256_add_epi16(high.b, highs.b)};
    low = kOpens ? lows : Ints{_mm256_add_epi16(low.a, lows.a), _mm256_add_epi16(low.b, lows.b)};
    keep_in_registers(high);
    keep_in_registers(low);
    if (closes) {
      const Ints sum = add(multiply_pairs(high, _mm256_set1_epi16(256)), multiply_pairs(low, _mm256_set1_epi16(1)));
      total = first ? sum : add(total, sum);
    }
  }

  // Sums as they run: left alone, GCC puts all additions behind all products, which then need the stack.
  static void keep_in_registers(Ints& v) { asm volatile("" : "+x"(v.a), "+x"(v.b)); }
};

}  // namespace mlxr::kernels
