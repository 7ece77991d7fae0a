// Sixteen lanes in 512-bit registers, with VNNI.
//
// VPDPBUSD adds the four products of a group, unsigned codes by signed bytes of activations, to a 32-bit lane; high and
// low bytes have sums of their own.
#pragma once

#include <utility>

#include "kernels/matmul_args.h"
#include "simd/avx512.h"
#include "simd/lanes.h"

namespace mlxr::kernels {

struct Avx512Lanes : simd::Lanes<simd::Avx512> {
  using Lanes::load;
  static constexpr int kRows = 8;    // rows of a register tile of one panel
  static constexpr int kPanels = 2;  // panels of a whole tile: each broadcast then feeds two products
  static constexpr int kTile = 32;   // rows for which a block of codes is unpacked once
  static constexpr int kFloatRows = 8;
  static constexpr size_t kPrefetch = 3072;
  using Bytes = __m512i;
  using Ints = __m512i;
  using Weights = Bytes;
  using Block = ByteBlock;
  using SingleRowBlock = ByteBlock;
  static constexpr bool kHasSingleRowDot = true;  // has dot_single_row
  static constexpr ScaledAs kScaledAs = ScaledAs::Bytes;
  static constexpr int kScaledRows = 8;  // the fewest of a block that is worth multiplying by its scales

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
  static Bytes look_up(const uint8_t* table, Bytes index) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table))), index);
  }

  // Floats.
  static Floats to_floats(Ints v) { return {_mm512_cvtepi32_ps(v)}; }

  // Sixteen numbers of a small format as floats.
  static Floats load_bfloat(const uint8_t* p) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(thirty_two(p)), 16))};
  }
  static Floats load_unsigned_bytes(const uint8_t* p) { return to_floats(_mm512_cvtepu8_epi32(sixteen(p))); }
  static Floats load_signed_bytes(const uint8_t* p) { return to_floats(_mm512_cvtepi8_epi32(sixteen(p))); }
  // E4M3 as halves of 1/256 of the value (base/half.h).
  static Floats load_e4m3(const uint8_t* p) {
    const __m256i v = _mm256_cvtepu8_epi16(sixteen(p));
    const __m256i largest = _mm256_set1_epi16(0x7f << 7);
    const __m256i magnitude = _mm256_and_si256(_mm256_slli_epi16(v, 7), largest);
    const __mmask16 nan = _mm256_cmpeq_epi16_mask(magnitude, largest);
    const __m256i sign = _mm256_and_si256(_mm256_slli_epi16(v, 8), _mm256_set1_epi16(static_cast<short>(0x8000)));
    const __m256i number = _mm256_mask_mov_epi16(magnitude, nan, _mm256_set1_epi16(0x7e00));
    return {_mm512_cvtph_ps(_mm256_or_si256(number, sign))};
  }
  template <int Shift>
  static Floats table16(const float* table, const uint8_t* p) {
    const __m512i index =
        _mm512_srli_epi32(_mm512_cvtepu8_epi32(sixteen(p)), Shift);  // the permute uses the low 4 bits
    return {_mm512_permutexvar_ps(index, _mm512_loadu_ps(table))};
  }

  // Quantization of a block: the largest |x|, NaN counting as larger than all; and codes round(x * inverse), with sums.
  static float largest_magnitude(const float* x) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const __m512i low = _mm512_and_si512(_mm512_castps_si512(_mm512_loadu_ps(x)), magnitude);
    const __m512i high = _mm512_and_si512(_mm512_castps_si512(_mm512_loadu_ps(x + 16)), magnitude);
    const int largest = _mm512_reduce_max_epi32(_mm512_max_epi32(low, high));
    return _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128(largest)));
  }
  static void round_block(const float* x, float inverse, ByteBlock& out, int32_t* half_sums) {
    __m256i high[2], low[2];
    for (int half = 0; half < 2; ++half) {
      const __m512i rounded =
          _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 16 * half), _mm512_set1_ps(inverse)));
      const __m256i codes = _mm512_cvtepi32_epi16(rounded);
      high[half] = _mm256_srai_epi16(_mm256_add_epi16(codes, _mm256_set1_epi16(128)), 8);
      low[half] = _mm256_and_si256(codes, _mm256_set1_epi16(255));
      half_sums[half] = _mm512_reduce_add_epi32(rounded);
    }
    const auto store = [](int8_t* p, __m256i bytes) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute4x64_epi64(bytes, 0xd8));
    };
    store(out.high, _mm256_packs_epi16(high[0], high[1]));
    store(out.low, _mm256_packus_epi16(low[0], low[1]));
  }

  // Nibbles of bytes, those from bit Shift on.
  template <int Shift>
  static Floats load_nibbles(const uint8_t* p) {
    return to_floats(_mm512_cvtepu8_epi32(_mm_and_si128(_mm_srli_epi16(sixteen(p), Shift), _mm_set1_epi8(15))));
  }

  // Integer scales of one half of a block.
  template <int kBits>
  static Ints load_integers(const uint8_t* p) {
    if constexpr (kBits == 4) return _mm512_cvtepu8_epi32(_mm_and_si128(sixteen(p), _mm_set1_epi8(15)));
    return _mm512_cvtepi8_epi32(sixteen(p));
  }
  static Ints multiply(Ints x, Ints y) { return _mm512_mullo_epi32(x, y); }
  static Ints add(Ints x, Ints y) { return _mm512_add_epi32(x, y); }
  // Less kZero times `count`.
  template <int kZero>
  static Ints less(Ints x, int32_t count) {
    return _mm512_sub_epi32(x, _mm512_set1_epi32(static_cast<int32_t>(kZero * static_cast<uint32_t>(count))));
  }

  // What codes of one half of a block are multiplied by, in even bytes and in odd ones, and what the products are then
  // less, as int16 and as bytes, which get a bias of 128 where they have signs.
  template <int kZero>
  struct Factors {
    __m512i even, odd, zero, zero_bytes;
  };
  template <int kBits, int kZero>
  static Factors<kZero> factors(const uint8_t* p) {
    const __m512i scale = load_integers<kBits>(p);
    const __m512i low = _mm512_set1_epi32(0xffff);
    const __m512i factors = _mm512_or_si512(_mm512_and_si512(scale, low), _mm512_slli_epi32(scale, 16));
    const __m512i zero = _mm512_mullo_epi16(factors, _mm512_set1_epi16(kZero));
    return {_mm512_and_si512(factors, _mm512_set1_epi16(255)), _mm512_slli_epi16(factors, 8), zero,
            _mm512_xor_si512(bytes_of(zero, zero), _mm512_set1_epi8(static_cast<char>(0x80)))};
  }
  template <int kZero>
  static Bytes times(const Factors<kZero>& f, Bytes codes) {
    const Bytes products = bytes_of(_mm512_maddubs_epi16(codes, f.even), _mm512_maddubs_epi16(codes, f.odd));
    return kZero == 0 ? products : _mm512_sub_epi8(products, f.zero_bytes);
  }
  // The same as int16: codes 0 and 2 of each four, and behind them 1 and 3.
  template <int kZero>
  static void store_int16_products(const Factors<kZero>& f, Bytes codes, int16_t* to) {
    _mm512_storeu_si512(to, _mm512_sub_epi16(_mm512_maddubs_epi16(codes, f.even), f.zero));
    _mm512_storeu_si512(to + 32, _mm512_sub_epi16(_mm512_maddubs_epi16(codes, f.odd), f.zero));
  }
  // Activations in that order.
  static void store_int16(const ByteBlock& x, int16_t* to) {
    const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
    const __m512i high = _mm512_cvtepi8_epi16(thirty_two(reinterpret_cast<const uint8_t*>(x.high)));
    const __m512i low = _mm512_cvtepi8_epi16(thirty_two(reinterpret_cast<const uint8_t*>(x.low)));
    const __m512i both = _mm512_add_epi16(_mm512_slli_epi16(high, 8), low);
    _mm512_storeu_si512(to, _mm512_shuffle_epi8(both, _mm512_broadcast_i32x4(order)));
  }
  // sums += both int16 at x times the two of every lane.
  [[gnu::always_inline]] static void add_int16_products(Ints& sums, Bytes w, Bytes x) {
#ifdef MLXR_EMULATED_AVX512
    sums = emulated::dot_int16(sums, w, x);
#else
    asm("vpdpwssd %2, %1, %0" : "+v"(sums) : "v"(w), "v"(x));
#endif
  }
  // Four bytes in every lane.
  [[gnu::always_inline]] static Bytes repeat_32(const void* x) {
#ifdef MLXR_EMULATED_AVX512
    return emulated::repeat_32(x);
#else
    Bytes out;
    asm("vpbroadcastd %1, %0" : "=v"(out) : "m"(*static_cast<const int8_t (*)[4]>(x)));
    return out;
#endif
  }

  // Group G's codes as they are multiplied.
  template <int kBits, int G>
  static void spread(Bytes codes, Weights* weights) {
    weights[G] = codes;
  }

  // Group's codes as tiles take them: with a sign, codes of 8 bits are less their bias.
  template <bool kSigned>
  static void store_weights(Bytes codes, uint8_t* to) {
    _mm512_storeu_si512(to, kSigned ? _mm512_xor_si512(codes, _mm512_set1_epi8(static_cast<char>(0x80))) : codes);
  }
  // The same in registers, and as their high bytes, which have a sign, and their low ones, which have none.
  struct Int16Products { __m512i even, odd; };
  template <int kZero>
  static Int16Products int16_products(const Factors<kZero>& f, Bytes codes) {
    const __m512i even = _mm512_maddubs_epi16(codes, f.even), odd = _mm512_maddubs_epi16(codes, f.odd);
    if constexpr (kZero == 0) return {even, odd};
    return {_mm512_sub_epi16(even, f.zero), _mm512_sub_epi16(odd, f.zero)};
  }
  static Bytes low_bytes(const Int16Products& w) { return bytes_of(w.even, w.odd); }
  static Bytes high_bytes(const Int16Products& w) {
    const __m512i high = _mm512_set1_epi16(static_cast<short>(0xff00));
    return _mm512_or_si512(_mm512_srli_epi16(w.even, 8), _mm512_and_si512(w.odd, high));
  }
  // Bytes at two places as two int16 of every lane.
  static Ints pair_int16(const uint8_t* first, const uint8_t* second) {
    const Ints low = _mm512_and_si512(load_integers<8>(first), _mm512_set1_epi32(0xffff));
    return _mm512_or_si512(low, _mm512_slli_epi32(load_integers<8>(second), 16));
  }
  // Adds products with the high bytes of 4 activations, and with the low ones.
  [[gnu::always_inline]] static void add_byte_products(Ints& high, Ints& low, Bytes w, const int8_t* x_high,
                                                       const int8_t* x_low) {
    add_products(high, w, x_high);
    add_products(low, w, x_low);
  }
  // 256 * high + low as a float, the same one however a sum is shared out between the two.
  [[gnu::always_inline]] static Floats rounded(Ints high, Ints low) {
    const Ints carried = _mm512_add_epi32(high, _mm512_srai_epi32(low, 8));
    return {_mm512_fmadd_ps(_mm512_set1_ps(256.0f), _mm512_cvtepi32_ps(carried),
                            _mm512_cvtepi32_ps(_mm512_and_si512(low, _mm512_set1_epi32(255))))};
  }
  // x - kFactor * y
  template <int kFactor>
  static Ints less_times(Ints x, Ints y) {
    return _mm512_sub_epi32(x, _mm512_mullo_epi32(y, _mm512_set1_epi32(kFactor)));
  }
  static Ints times_256(Ints x) { return _mm512_slli_epi32(x, 8); }
  static Ints load_sums(const int32_t* p) { return _mm512_loadu_si512(p); }

  // Sums of high bytes and of low ones as one.
  static Ints join(const int32_t* high, const int32_t* low) {
    return _mm512_add_epi32(_mm512_slli_epi32(_mm512_loadu_si512(high), 8), _mm512_loadu_si512(low));
  }
  // The same sum as a float, where sums began at these bits: a float of 1.5 times 2^31, whose last place is worth 256,
  // and one of 1.5 times 2^23. Each then is that number plus its sum, as long as that has no more than 22 bits; what is
  // subtracted leaves no rounding before the last addition, which rounds as a conversion does.
  static constexpr int32_t kHighStart = 0x4f400000, kLowStart = 0x4b400000;
  static Floats join_started(const int32_t* high, const int32_t* low) {
    const __m512 starts = _mm512_set1_ps(1.5f * 0x1p31f + 1.5f * 0x1p23f);
    return {_mm512_add_ps(_mm512_sub_ps(_mm512_loadu_ps(high), starts), _mm512_loadu_ps(low))};
  }

  // out[r] = sum of weight * x[r * stride] over groups [kFirst, kFirst + kCount), without the bias of 8-bit weights.
  template <int kBits, int kFirst, int kCount, int R>
  [[gnu::always_inline]] static void dot(const Weights* weights, const ByteBlock* x, int64_t stride, Ints* out) {
    // The registers belong to the sums: weights are read from the first-level cache as they are needed.
    asm volatile("" : "+r"(weights) : : "memory");
    Ints high[R];
    for (int r = 0; r < R; ++r) {
      high[r] = _mm512_setzero_si512();
      out[r] = bias<kBits>(x[r * stride]);
    }
#pragma GCC unroll 8
    for (int g = kFirst; g < kFirst + kCount; ++g) {
      const Bytes w = weights[g];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        add_products(high[r], w, x[r * stride].high + 4 * g);
        add_products(out[r], w, x[r * stride].low + 4 * g);
      }
    }
    for (int r = 0; r < R; ++r) out[r] = _mm512_add_epi32(_mm512_slli_epi32(high[r], 8), out[r]);
  }

  // The same for P panels, whose weights are 8 vectors each.
  template <int kBits, int kFirst, int kCount, int R, int P>
  [[gnu::always_inline]] static void dot_panels(const Weights* weights, const ByteBlock* x, int64_t stride,
                                                Ints (&out)[P][R]) {
    asm volatile("" : "+r"(weights) : : "memory");
    Ints high[P][R];
    for (int p = 0; p < P; ++p) {
      for (int r = 0; r < R; ++r) {
        high[p][r] = _mm512_setzero_si512();
        out[p][r] = bias<kBits>(x[r * stride]);
      }
    }
#pragma GCC unroll 8
    for (int g = kFirst; g < kFirst + kCount; ++g) {
      Bytes w[P];
      for (int p = 0; p < P; ++p) w[p] = weights[8 * p + g];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const Bytes h = repeat_32(x[r * stride].high + 4 * g), l = repeat_32(x[r * stride].low + 4 * g);
        for (int p = 0; p < P; ++p) {
          add_products(high[p][r], w[p], h);
          add_products(out[p][r], w[p], l);
        }
      }
    }
    for (int p = 0; p < P; ++p) {
      for (int r = 0; r < R; ++r) {
        out[p][r] = _mm512_add_epi32(_mm512_slli_epi32(high[p][r], 8), out[p][r]);
      }
    }
  }

  // Products with 16-bit activations, two of bytes each, out of registers alone; returns how many.
  static int64_t multiply_registers(int64_t rounds) {
    constexpr int kSums = 16;
    const auto multiply = [rounds]<int... I>(std::integer_sequence<int, I...>) {
      // Indices are constants, or the sums would live in memory.
      const Bytes w = _mm512_set1_epi8(1), x = w;
      Ints sums[kSums];
      ((sums[I] = _mm512_setzero_si512()), ...);
      for (int64_t round = 0; round < rounds; ++round) (add_products(sums[I], w, x), ...);
      Ints total = w;
      ((total = _mm512_add_epi32(total, sums[I])), ...);
      asm volatile("" : : "m"(total));
    };
    multiply(std::make_integer_sequence<int, kSums>());
    return rounds * kSums * 64 / 2;
  }

  // The same for a single row, from codes as they leave their block.
  template <int kBits, int kFirst, int kCount, class Codes>
  [[gnu::always_inline]] static Ints dot_single_row(const Codes& codes, const ByteBlock& x) {
    return dot_single_row<kBits, kFirst>(codes, x, std::make_integer_sequence<int, kCount>());
  }

 private:
  static __m128i sixteen(const uint8_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static __m256i thirty_two(const uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  // The low bytes of int16.
  static Bytes bytes_of(__m512i even, __m512i odd) {
    return _mm512_or_si512(_mm512_and_si512(even, _mm512_set1_epi16(255)), _mm512_slli_epi16(odd, 8));
  }
  template <int kBits>
  static Ints bias(const ByteBlock& x) {
    return kBits == 8 ? _mm512_set1_epi32(x.bias) : _mm512_setzero_si512();
  }

  template <int kBits, int kFirst, class Codes, int... G>
  [[gnu::always_inline]] static Ints dot_single_row(const Codes& codes, const ByteBlock& x,
                                                    std::integer_sequence<int, G...>) {
    Ints high = _mm512_setzero_si512(), low = bias<kBits>(x);
    const auto add = [&](Bytes w, int at) {
      add_products(high, w, x.high + at);
      add_products(low, w, x.low + at);
    };
    (add(codes.template group<kFirst + G>(), 4 * (kFirst + G)), ...);
    return _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
  }

  // The four bytes at x meet every lane. Written out because GCC makes the broadcast an instruction of its own.
  [[gnu::always_inline]] static void add_products(Ints& sums, Bytes w, const int8_t* x) {
#ifdef MLXR_EMULATED_AVX512
    sums = emulated::dot_bytes(sums, w, emulated::repeat_32(x));
#else
    asm("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(sums) : "v"(w), "m"(*reinterpret_cast<const int8_t (*)[4]>(x)));
#endif
  }
  [[gnu::always_inline]] static void add_products(Ints& sums, Bytes w, Bytes x) {
#ifdef MLXR_EMULATED_AVX512
    sums = emulated::dot_bytes(sums, w, x);
#else
    asm("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(w), "v"(x));
#endif
  }
};

}  // namespace mlxr::kernels
