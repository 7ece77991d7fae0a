// Activations for products that sum up whole superblocks: 256 of a row, 16-bit codes times one scale, as lines of bytes
// that tiles read where they lie.
#pragma once

#include <bit>
#include <cstring>

#include "kernels/quantize.h"

namespace mlxr::kernels {

struct alignas(64) SuperblockActivations {
  static constexpr int kBlocks = kActivationSpan / kBlock;

  // The codes as 256 * high + low.
  int8_t high[kActivationSpan], low[kActivationSpan];
  // Of codes, of each 16 and of each 32: 256 * high + low.
  int16_t half_high[2 * kBlocks], half_low[2 * kBlocks];
  int16_t sum_high[kBlocks], sum_low[kBlocks];
  float scale;
  // An odd number of lines: rows of a power of two of superblocks then don't all meet in the same places of the cache.
  uint8_t unused[64];
};
static_assert(sizeof(SuperblockActivations) == 11 * 64);

// `cols` fill whole superblocks.
template <class V>
void quantize_superblocks(const float* x, int64_t cols, void* superblocks) {
  auto* out = static_cast<SuperblockActivations*>(superblocks);
  for (const float* end = x + cols; x < end; x += kActivationSpan, ++out) {
    float largest = 0.0f;
    for (int i = 0; i < kActivationSpan; i += kBlock) {
      // As integers, so that a NaN is larger than all.
      const float own = V::largest_magnitude(x + i);
      if (std::bit_cast<int32_t>(own) > std::bit_cast<int32_t>(largest)) largest = own;
    }
    for (int block = 0; block < SuperblockActivations::kBlocks; ++block) {
      typename V::Block codes;
      quantize_block<V>(x + block * kBlock, largest, codes);
      std::memcpy(out->high + block * kBlock, codes.high, kBlock);
      std::memcpy(out->low + block * kBlock, codes.low, kBlock);
      for (int half = 0; half < 2; ++half) {
        out->half_high[2 * block + half] = codes.high_sums[half];
        out->half_low[2 * block + half] = codes.low_sums[half];
      }
      out->sum_high[block] = static_cast<int16_t>(codes.high_sums[0] + codes.high_sums[1]);
      out->sum_low[block] = static_cast<int16_t>(codes.low_sums[0] + codes.low_sums[1]);
      out->scale = codes.scale;
    }
  }
}

}  // namespace mlxr::kernels
