// Sixteen lanes in four 128-bit registers, with the dot product instruction (Armv8.2 SDOT).
//
// SDOT multiplies signed bytes: codes of up to 7 bits are signed bytes as they are, and 8-bit codes once their bias is
// taken away. An activation is 256 * high + low, both signed bytes.
#pragma once

#include <utility>

#include "kernels/matmul_args.h"
#include "simd/lanes.h"
#include "simd/neon.h"

namespace mlxr::kernels {
namespace {  // each file that includes this has its own, compiled for its own instructions

struct NeonLanes : simd::Lanes<simd::Neon> {
  using Lanes::load;
  static constexpr int kRows = 4;
  static constexpr int kPanels = 1;  // panels of a whole tile
  static constexpr int kTile = 16;   // rows for which a block of codes is unpacked once
  static constexpr int kFloatRows = 4;
  static constexpr size_t kPrefetch = 1024;
  using Block = ByteBlock;
  using SingleRowBlock = ByteBlock;
  static constexpr bool kHasSingleRowDot = true;  // has dot_single_row
  static constexpr ScaledAs kScaledAs = ScaledAs::Sums;
  static constexpr int kScaledRows = 0;
  struct Bytes { uint8x16_t q[4]; };
  struct Ints { int32x4_t q[4]; };
  using Weights = Bytes;

  static void prefetch(const void* p) { __builtin_prefetch(p); }

  // Bytes.
  static Bytes load(const uint8_t* p) { return {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)}; }
  template <int Right, int Mask>
  static Bytes field(Bytes x) {
    for (uint8x16_t& v : x.q) {
      if constexpr (Right > 0) v = vshrq_n_u8(v, Right);
      if constexpr (Right < 0) v = vshlq_n_u8(v, -Right);
      if constexpr (Right <= 0 || Mask != 255 >> Right) v = vandq_u8(v, vdupq_n_u8(Mask));
    }
    return x;
  }
  static Bytes either(Bytes x, Bytes y) {
    for (int i = 0; i < 4; ++i) x.q[i] = vorrq_u8(x.q[i], y.q[i]);
    return x;
  }
  static Bytes look_up(const uint8_t* table, Bytes index) {
    const uint8x16_t t = vld1q_u8(table);
    for (uint8x16_t& v : index.q) v = vqtbl1q_u8(t, v);
    return index;
  }

  // Floats.
  static Floats to_floats(const Ints& x) {
    Floats out;
    for (int i = 0; i < 4; ++i) out.r[i] = vcvtq_f32_s32(x.q[i]);
    return out;
  }

  // Sixteen numbers of a small format as floats.
  static Floats load_bfloat(const uint8_t* p) {
    const uint16x8_t low = vreinterpretq_u16_u8(vld1q_u8(p)), high = vreinterpretq_u16_u8(vld1q_u8(p + 16));
    const auto widen = [](uint16x4_t v) { return vreinterpretq_f32_u32(vshll_n_u16(v, 16)); };
    return {widen(vget_low_u16(low)), widen(vget_high_u16(low)), widen(vget_low_u16(high)), widen(vget_high_u16(high))};
  }
  static Floats load_unsigned_bytes(const uint8_t* p) {
    const uint8x16_t v = vld1q_u8(p);
    return from_int16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(v))), vreinterpretq_s16_u16(vmovl_high_u8(v)));
  }
  static Floats load_signed_bytes(const uint8_t* p) {
    const int8x16_t v = vreinterpretq_s8_u8(vld1q_u8(p));
    return from_int16(vmovl_s8(vget_low_s8(v)), vmovl_high_s8(v));
  }
  // E4M3 as halves of 1/256 of the value (base/half.h).
  static Floats load_e4m3(const uint8_t* p) {
    const uint8x16_t v = vld1q_u8(p);
    const auto half = [](uint16x8_t w) {
      const uint16x8_t largest = vdupq_n_u16(0x7f << 7);
      const uint16x8_t magnitude = vandq_u16(vshlq_n_u16(w, 7), largest);
      const uint16x8_t nan = vandq_u16(vceqq_u16(magnitude, largest), vdupq_n_u16(0x7e00));
      return vorrq_u16(vorrq_u16(magnitude, nan), vandq_u16(vshlq_n_u16(w, 8), vdupq_n_u16(0x8000)));
    };
    return widen_halves(half(vmovl_u8(vget_low_u8(v))), half(vmovl_high_u8(v)));
  }
  template <int Shift>
  static Floats table16(const float* table, const uint8_t* p) {
    const float out[kLanes] = {
        table[p[0] >> Shift & 15],  table[p[1] >> Shift & 15],  table[p[2] >> Shift & 15],  table[p[3] >> Shift & 15],
        table[p[4] >> Shift & 15],  table[p[5] >> Shift & 15],  table[p[6] >> Shift & 15],  table[p[7] >> Shift & 15],
        table[p[8] >> Shift & 15],  table[p[9] >> Shift & 15],  table[p[10] >> Shift & 15], table[p[11] >> Shift & 15],
        table[p[12] >> Shift & 15], table[p[13] >> Shift & 15], table[p[14] >> Shift & 15], table[p[15] >> Shift & 15]};
    return load(out);
  }

  // Quantization of a block: the largest |x|, NaN counting as larger than all; and codes round(x * inverse), with sums.
  static float largest_magnitude(const float* x) {
    int32x4_t largest = vdupq_n_s32(0);
    for (int i = 0; i < kBlock; i += 4) {
      const int32x4_t bits = vreinterpretq_s32_f32(vld1q_f32(x + i));
      largest = vmaxq_s32(largest, vandq_s32(bits, vdupq_n_s32(0x7fffffff)));
    }
    return vgetq_lane_f32(vreinterpretq_f32_s32(vdupq_n_s32(vmaxvq_s32(largest))), 0);
  }
  static void round_block(const float* x, float inverse, ByteBlock& out, int32_t* half_sums) {
    for (int half = 0; half < 2; ++half) {
      const SplitCodes codes = round_half(x + 16 * half, inverse, half_sums[half]);
      vst1q_s8(out.high + 16 * half, codes.high);
      vst1q_s8(out.low + 16 * half, codes.low);
    }
  }

  // Nibbles of bytes, those from bit Shift on.
  template <int Shift>
  static Floats load_nibbles(const uint8_t* p) {
    const uint8x16_t v = vld1q_u8(p);
    const uint8x16_t n = Shift == 0 ? vandq_u8(v, vdupq_n_u8(15)) : vshrq_n_u8(v, 4);
    return from_int16(vreinterpretq_s16_u16(vmovl_u8(vget_low_u8(n))), vreinterpretq_s16_u16(vmovl_high_u8(n)));
  }

  // Integer scales of one half of a block.
  template <int kBits>
  static Ints load_integers(const uint8_t* p) {
    uint8x16_t v = vld1q_u8(p);
    if constexpr (kBits == 4) v = vandq_u8(v, vdupq_n_u8(15));
    const int8x16_t bytes = vreinterpretq_s8_u8(v);
    Ints out;
    widen_int16(vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes), out.q);
    return out;
  }
  static Ints multiply(Ints x, const Ints& y) {
    for (int i = 0; i < 4; ++i) x.q[i] = vmulq_s32(x.q[i], y.q[i]);
    return x;
  }
  static Ints add(Ints x, const Ints& y) {
    for (int i = 0; i < 4; ++i) x.q[i] = vaddq_s32(x.q[i], y.q[i]);
    return x;
  }
  // Less kZero times `count`.
  template <int kZero>
  static Ints less(Ints x, int32_t count) {
    for (int i = 0; i < 4; ++i) x.q[i] = vmlsq_s32(x.q[i], vdupq_n_s32(kZero), vdupq_n_s32(count));
    return x;
  }

  // Group G's codes as they are multiplied.
  template <int kBits, int G>
  static void spread(Bytes codes, Weights* weights) {
    if constexpr (kBits == 8) {
      for (uint8x16_t& v : codes.q) v = veorq_u8(v, vdupq_n_u8(0x80));
    }
    weights[G] = codes;
  }

  // out[r] = sum of weight * x[r * stride] over groups [kFirst, kFirst + kCount), without the bias of 8-bit weights.
  template <int kBits, int kFirst, int kCount, int R>
  static void dot(const Weights* weights, const ByteBlock* x, int64_t stride, Ints* out) {
    for (int r = 0; r < R; ++r) {
      const ByteBlock& row = x[r * stride];
      Ints high{}, low{};
      for (int g = kFirst; g < kFirst + kCount; g += 4) {
        dot_half(weights + g, row.high + 4 * g, high);
        dot_half(weights + g, row.low + 4 * g, low);
      }
      for (int i = 0; i < 4; ++i) out[r].q[i] = vaddq_s32(vshlq_n_s32(high.q[i], 8), low.q[i]);
    }
  }

  // The same for a single row, from codes as they leave their block.
  template <int kBits, int kFirst, int kCount, class Codes>
  [[gnu::always_inline]] static Ints dot_single_row(const Codes& codes, const ByteBlock& x) {
    return dot_single_row<kBits, kFirst>(codes, x, std::make_integer_sequence<int, kCount>());
  }

 protected:
  // Sixteen codes as their high and low bytes.
  struct SplitCodes { int8x16_t high, low; };
  static SplitCodes round_half(const float* x, float inverse, int32_t& sum) {
    int32x4_t v[4];
    for (int i = 0; i < 4; ++i) v[i] = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), inverse));
    sum = vaddvq_s32(vaddq_s32(vaddq_s32(v[0], v[1]), vaddq_s32(v[2], v[3])));
    const int16x8_t a = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1])),
                    b = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));
    const auto high = [](int16x8_t w) { return vshrn_n_s16(vaddq_s16(w, vdupq_n_s16(128)), 8); };
    return {vcombine_s8(high(a), high(b)), vcombine_s8(vmovn_s16(a), vmovn_s16(b))};
  }

 private:
  template <int kBits, int kFirst, class Codes, int... G>
  [[gnu::always_inline]] static Ints dot_single_row(const Codes& codes, const ByteBlock& x,
                                                    std::integer_sequence<int, G...>) {
    Weights weights[8];
    (spread<kBits, kFirst + G>(codes.template group<kFirst + G>(), weights), ...);
    Ints out;
    dot<kBits, kFirst, sizeof...(G), 1>(weights, &x, 0, &out);
    return out;
  }

  // Adds four groups.
  static void dot_half(const Bytes* codes, const int8_t* x, Ints& sums) {
    const int8x16_t v = vld1q_s8(x);
    for (int i = 0; i < 4; ++i) {
      sums.q[i] = vdotq_laneq_s32(sums.q[i], vreinterpretq_s8_u8(codes[0].q[i]), v, 0);
      sums.q[i] = vdotq_laneq_s32(sums.q[i], vreinterpretq_s8_u8(codes[1].q[i]), v, 1);
      sums.q[i] = vdotq_laneq_s32(sums.q[i], vreinterpretq_s8_u8(codes[2].q[i]), v, 2);
      sums.q[i] = vdotq_laneq_s32(sums.q[i], vreinterpretq_s8_u8(codes[3].q[i]), v, 3);
    }
  }

  static Floats widen_halves(uint16x8_t low, uint16x8_t high) {
    const float16x8_t a = vreinterpretq_f16_u16(low), b = vreinterpretq_f16_u16(high);
    return {vcvt_f32_f16(vget_low_f16(a)), vcvt_high_f32_f16(a), vcvt_f32_f16(vget_low_f16(b)), vcvt_high_f32_f16(b)};
  }
  static void widen_int16(int16x8_t low, int16x8_t high, int32x4_t* out) {
    out[0] = vmovl_s16(vget_low_s16(low));
    out[1] = vmovl_high_s16(low);
    out[2] = vmovl_s16(vget_low_s16(high));
    out[3] = vmovl_high_s16(high);
  }
  static Floats from_int16(int16x8_t low, int16x8_t high) {
    Ints out;
    widen_int16(low, high, out.q);
    return to_floats(out);
  }
};

}  // namespace
}  // namespace mlxr::kernels
