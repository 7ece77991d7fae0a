// lanes_neon.h with the product of byte matrices for several rows (Armv8.6 SMMLA): 2 x 8 signed bytes times 8 x 2.
//
// The left operand is two output features, 8 input features of each: two groups side by side. The right operand is one
// activation row, its high bytes and its low ones, so that any number of rows fills the instruction.
#pragma once

#include "kernels/lanes_neon.h"

namespace mlxr::kernels {
namespace {

struct I8mmLanes : NeonLanes {
  using Block = PairedByteBlock;

  using NeonLanes::round_block;
  static void round_block(const float* x, float inverse, PairedByteBlock& out, int32_t* half_sums) {
    for (int half = 0; half < 2; ++half) {
      const SplitCodes codes = round_half(x + 16 * half, inverse, half_sums[half]);
      const int64x2_t high = vreinterpretq_s64_s8(codes.high), low = vreinterpretq_s64_s8(codes.low);
      vst1q_s8(out.codes + 32 * half, vreinterpretq_s8_s64(vzip1q_s64(high, low)));
      vst1q_s8(out.codes + 32 * half + 16, vreinterpretq_s8_s64(vzip2q_s64(high, low)));
    }
  }

  // Group G's codes as they are multiplied. Once it has come, the second group of a pair is brought side by side with
  // the first: q[i] of the first then holds output features 4i and 4i + 1, of the second 4i + 2 and 4i + 3.
  template <int kBits, int G>
  static void spread(Bytes codes, Weights* weights) {
    NeonLanes::spread<kBits, G>(codes, weights);
    if constexpr (G % 2 == 1) {
      for (int i = 0; i < 4; ++i) {
        const uint32x4_t first = vreinterpretq_u32_u8(weights[G - 1].q[i]),
                         second = vreinterpretq_u32_u8(weights[G].q[i]);
        weights[G - 1].q[i] = vreinterpretq_u8_u32(vzip1q_u32(first, second));
        weights[G].q[i] = vreinterpretq_u8_u32(vzip2q_u32(first, second));
      }
    }
  }

  // out[r] = sum of weight * x[r * stride] over groups [kFirst, kFirst + kCount), without the bias of 8-bit weights.
  template <int kBits, int kFirst, int kCount, int R>
  [[gnu::always_inline]] static void dot(const Weights* weights, const PairedByteBlock* x, int64_t stride, Ints* out) {
    dot_half<0, kFirst, kCount, R>(weights, x, stride, out);
    dot_half<2, kFirst, kCount, R>(weights, x, stride, out);
  }

 private:
  // Half of the lanes, from register kRegister on, so that the sums of four rows stay in registers.
  template <int kRegister, int kFirst, int kCount, int R>
  [[gnu::always_inline]] static void dot_half(const Weights* weights, const PairedByteBlock* x, int64_t stride,
                                              Ints* out) {
    int32x4_t sums[R][4];  // of two features each: high, low, high, low
    for (int r = 0; r < R; ++r) {
      for (int32x4_t& sum : sums[r]) sum = vdupq_n_s32(0);
    }
#pragma GCC unroll 4
    for (int g = kFirst; g < kFirst + kCount; g += 2) {
      // The registers belong to the sums: weights are read from the first-level cache as they are needed.
      asm volatile("" : "+r"(weights) : : "memory");
      int8x16_t w[4];
      for (int i = 0; i < 4; ++i) w[i] = vreinterpretq_s8_u8(weights[g + i % 2].q[kRegister + i / 2]);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const int8x16_t codes = vld1q_s8(x[r * stride].codes + 8 * g);
        for (int i = 0; i < 4; ++i) sums[r][i] = vmmlaq_s32(sums[r][i], w[i], codes);
      }
    }
    const int32x4_t places = {8, 0, 8, 0};
    for (int r = 0; r < R; ++r) {
      for (int32x4_t& sum : sums[r]) sum = vshlq_s32(sum, places);
      for (int i = 0; i < 2; ++i) out[r].q[kRegister + i] = vpaddq_s32(sums[r][2 * i], sums[r][2 * i + 1]);
    }
  }
};

}  // namespace
}  // namespace mlxr::kernels
