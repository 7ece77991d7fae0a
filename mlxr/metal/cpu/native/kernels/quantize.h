// Float32 activations to 16-bit codes.
//
// Per block of 32: scale = max |x| / 32639, code = round to even(x * (32639 / max |x|)), the same operations on every
// instruction set. Blocks below 2^-100 become zero, since 32639 / max would overflow; a NaN or an infinity makes the
// block's scale one, and so every result that it touches.
#pragma once

#include <bit>
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

// The same, but that the blocks of each kActivationSpan activations have one scale (superblock_matmul.h).
template <class V, class Block>
void quantize_superblocks(const float* x, int64_t cols, void* blocks) {
  auto* out = static_cast<Block*>(blocks);
  while (cols > 0) {
    const int64_t span = cols < kActivationSpan ? cols : kActivationSpan;
    float largest = 0.0f;
    for (int64_t i = 0; i < span; i += kBlock) {
      // As integers, so that a NaN is larger than all.
      const float own = V::largest_magnitude(x + i);
      if (std::bit_cast<int32_t>(own) > std::bit_cast<int32_t>(largest)) largest = own;
    }
    for (int64_t i = 0; i < span; i += kBlock) quantize_block<V>(x + i, largest, *out++);
    x += span;
    cols -= span;
  }
}

}  // namespace mlxr::kernels
