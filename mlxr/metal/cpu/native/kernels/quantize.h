// Float32 activations to 16-bit codes.
//
// Per block of 32: scale = max |x| / 32639, code = round to even(x * (32639 / max |x|)), the same operations on every
// instruction set. Blocks below 2^-100 become zero, since 32639 / max would overflow; a NaN or an infinity makes the
// block's scale one, and so every result that it touches.
#pragma once

#include <cstdint>

#include "kernels/matmul_args.h"

namespace mlxr::kernels {

// `largest`: the magnitude that the largest code stands for.
template <class V, class Block>
void quantize_block(const float* x, float largest, Block& out) {
  constexpr float kLargest = kLargestActivation;
  const bool zero = largest < 0x1p-100f;
  const float scale = zero ? 0.0f : largest / kLargest;
  int32_t half_sums[2];
  V::round_block(x, zero ? 0.0f : kLargest / largest, out, half_sums);
  const int32_t sum = half_sums[0] + half_sums[1];
  out.scale = scale;
  out.bias = static_cast<int32_t>(-128u * static_cast<uint32_t>(sum));
  out.scaled_sum = scale * static_cast<float>(sum);
  for (int half = 0; half < 2; ++half) {
    out.high_sums[half] = static_cast<int16_t>(half_sums[half] >> 8);
    out.low_sums[half] = static_cast<int16_t>(half_sums[half] & 255);
    out.scaled_half_sums[half] = scale * static_cast<float>(half_sums[half]);
  }
}

template <class V, class Block>
void quantize(const float* x, int64_t cols, void* blocks) {
  auto* out = static_cast<Block*>(blocks);
  for (const float* end = x + cols; x < end; x += kBlock, ++out) quantize_block<V>(x, V::largest_magnitude(x), *out);
}

}  // namespace mlxr::kernels
