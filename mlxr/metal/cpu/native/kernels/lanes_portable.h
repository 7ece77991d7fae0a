// Sixteen lanes in plain arrays: runs anywhere, and what every other instruction set is held against.
#pragma once

#include "base/half.h"
#include "kernels/matmul_args.h"
#include "simd/lanes.h"
#include "simd/portable.h"

namespace mlxr::kernels {

struct PortableLanes : simd::Lanes<simd::Portable> {
  using Lanes::load;
  static constexpr int kRows = 4;
  static constexpr int kPanels = 1;  // panels of a whole tile
  static constexpr int kTile = 16;   // rows for which a block of codes is unpacked once
  static constexpr int kFloatRows = 2;
  static constexpr size_t kPrefetch = 0;
  using Block = Int16Block;
  using SingleRowBlock = Int16Block;
  static constexpr bool kHasSingleRowDot = false;  // has dot_single_row
  static constexpr ScaledAs kScaledAs = ScaledAs::Int16;
  static constexpr int kScaledRows = 2;  // the fewest of a block that is worth multiplying by its scales
  struct Bytes { uint8_t v[4 * kLanes]; };
  struct Ints { int32_t v[kLanes]; };
  struct Weights { int16_t v[4 * kLanes]; };

  static void prefetch(const void*) {}

  // Bytes.
  static Bytes load(const uint8_t* p) {
    Bytes out;
    __builtin_memcpy(out.v, p, sizeof(out.v));
    return out;
  }
  template <int Right, int Mask>
  static Bytes field(Bytes x) {
    for (uint8_t& v : x.v) v = static_cast<uint8_t>((Right > 0 ? v >> (Right & 7) : v << (-Right & 7)) & Mask);
    return x;
  }
  static Bytes either(Bytes x, const Bytes& y) {
    for (int i = 0; i < 4 * kLanes; ++i) x.v[i] |= y.v[i];
    return x;
  }
  static Bytes look_up(const uint8_t* table, Bytes index) {
    for (uint8_t& v : index.v) v = table[v];
    return index;
  }

  // Floats. Through double: std::fma is a slow call without the instruction. The sum may round twice, a last-bit
  // difference.
  static Floats fma(const Floats& x, const Floats& y, const Floats& z) {
    constexpr int kWidth = simd::Portable::kWidth;
    const auto lane = [](const Floats& v, int i) { return v.r[i / kWidth].lane[i % kWidth]; };
    return each_lane(
        [&](int i) { return static_cast<float>(static_cast<double>(lane(x, i)) * lane(y, i) + lane(z, i)); });
  }
  static Floats to_floats(const Ints& x) {
    return each_lane([&](int i) { return static_cast<float>(x.v[i]); });
  }

  static Floats load_bfloat(const uint8_t* p) {
    return each_lane([&](int i) { return bfloat_to_float(uint16_at(p, i)); });
  }
  static Floats load_unsigned_bytes(const uint8_t* p) {
    return each_lane([&](int i) { return static_cast<float>(p[i]); });
  }
  static Floats load_signed_bytes(const uint8_t* p) {
    return each_lane([&](int i) { return static_cast<float>(static_cast<int8_t>(p[i])); });
  }
  static Floats load_e4m3(const uint8_t* p) {
    return each_lane([&](int i) { return e4m3_to_float(p[i]) * 0x1p-8f; });
  }
  template <int Shift>
  static Floats table16(const float* table, const uint8_t* p) {
    return each_lane([&](int i) { return table[p[i] >> Shift & 15]; });
  }

  // Quantization of a block: the largest |x|, NaN counting as larger than all; and codes round(x * inverse), with sums.
  static float largest_magnitude(const float* x) {
    int32_t largest = 0;
    for (int i = 0; i < kBlock; ++i) {
      int32_t bits;
      __builtin_memcpy(&bits, x + i, sizeof(bits));
      bits &= 0x7fffffff;
      largest = bits > largest ? bits : largest;
    }
    float out;
    __builtin_memcpy(&out, &largest, sizeof(out));
    return out;
  }
  static void round_block(const float* x, float inverse, Int16Block& out, int32_t* half_sums) {
    for (int half = 0; half < 2; ++half) {
      half_sums[half] = 0;
      for (int i = 16 * half; i < 16 * half + 16; ++i) {
        const float shifted = x[i] * inverse + 0x1.8p23f;  // leaves the rounded integer in the low bits
        int32_t bits;
        __builtin_memcpy(&bits, &shifted, sizeof(bits));
        out.codes[i] = static_cast<int16_t>(bits - 0x4b400000);
        half_sums[half] += out.codes[i];
      }
    }
  }

  // Nibbles of bytes, those from bit Shift on.
  template <int Shift>
  static Floats load_nibbles(const uint8_t* p) {
    return each_lane([&](int i) { return static_cast<float>(p[i] >> Shift & 15); });
  }

  // Integer scales of one half of a block.
  template <int kBits>
  static Ints load_integers(const uint8_t* p) {
    return each_integer([&](int i) { return kBits == 4 ? p[i] & 15 : static_cast<int8_t>(p[i]); });
  }
  static Ints multiply(const Ints& x, const Ints& y) {
    return each_integer([&](int i) { return x.v[i] * y.v[i]; });
  }
  static Ints add(const Ints& x, const Ints& y) {
    return each_integer([&](int i) { return x.v[i] + y.v[i]; });
  }
  // Less kZero times `count`.
  template <int kZero>
  static Ints less(const Ints& x, int32_t count) {
    return each_integer([&](int i) { return x.v[i] - kZero * count; });
  }

  // What codes of one half of a block are multiplied by.
  template <int kZero>
  struct Factors {
    Ints scale;
  };
  template <int kBits, int kZero>
  static Factors<kZero> factors(const uint8_t* p) {
    return {load_integers<kBits>(p)};
  }
  template <int kZero>
  static Weights times(const Factors<kZero>& f, const Bytes& codes) {
    Weights out;
    for (int i = 0; i < 4 * kLanes; ++i) out.v[i] = static_cast<int16_t>((codes.v[i] - kZero) * f.scale.v[i / 4]);
    return out;
  }

  // Group G's codes as they are multiplied.
  template <int kBits, int G>
  static void spread(const Bytes& codes, Weights* weights) {
    for (int i = 0; i < 4 * kLanes; ++i) weights[G].v[i] = codes.v[i];
  }

  // out[r] = sum of weight * x[r * stride] over groups [kFirst, kFirst + kCount), without the bias of 8-bit weights.
  template <int kBits, int kFirst, int kCount, int R>
  static void dot(const Weights* weights, const Int16Block* x, int64_t stride, Ints* out) {
    for (int r = 0; r < R; ++r) {
      const Int16Block& row = x[r * stride];
      for (int32_t& sum : out[r].v) sum = kBits == 8 ? row.bias : 0;
      for (int g = kFirst; g < kFirst + kCount; ++g) {
        for (int i = 0; i < 4 * kLanes; ++i) out[r].v[i / 4] += weights[g].v[i] * row.codes[4 * g + i % 4];
      }
    }
  }

 private:
  template <class Value>
  static Floats each_lane(Value value) {
    constexpr int kWidth = simd::Portable::kWidth;
    Floats out;
    for (int i = 0; i < kLanes; ++i) out.r[i / kWidth].lane[i % kWidth] = value(i);
    return out;
  }
  template <class Value>
  static Ints each_integer(Value value) {
    Ints out;
    for (int i = 0; i < kLanes; ++i) out.v[i] = value(i);
    return out;
  }
  static uint16_t uint16_at(const uint8_t* p, int i) {
    uint16_t v;
    __builtin_memcpy(&v, p + 2 * i, sizeof(v));
    return v;
  }
};

}  // namespace mlxr::kernels
