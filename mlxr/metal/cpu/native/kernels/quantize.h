// Float32 activations to int8: plain loops that every compiler vectorizes. V only keeps instruction sets apart.
#pragma once

#include <cstdint>
#include <cstring>

#include "matmul_kernels.h"

namespace mlxr::kernels {

// Per block of 32: scale = max |x| / 127, code = round to even(x / scale). Blocks below 2^-100 become zero, since 127 / max
// would overflow; a NaN or an infinity makes the block's scale one, and so every result that it touches.
template <class V>
void quantize(const float* x, int64_t cols, ActivationBlock* out) {
  constexpr int32_t kTiny = 27 << 23;      // bits of 2^-100
  constexpr float kRound = 0x1.8p23f;      // adding it leaves the rounded integer in the low bits
  constexpr int32_t kRoundBits = 0x4b400000;
  for (int64_t block = 0; block < cols / kBlock; ++block, ++out, x += kBlock) {
    int32_t bits[kBlock];
    std::memcpy(bits, x, sizeof(bits));
    int32_t largest = 0;
    for (int i = 0; i < kBlock; ++i) {
      const int32_t magnitude = bits[i] & 0x7fffffff;
      largest = magnitude > largest ? magnitude : largest;
    }
    float maximum;
    std::memcpy(&maximum, &largest, sizeof(maximum));
    const bool zero = largest < kTiny;
    const float inverse = zero ? 0.0f : 127.0f / maximum;
    float shifted[kBlock];
    for (int i = 0; i < kBlock; ++i) shifted[i] = x[i] * inverse + kRound;
    std::memcpy(bits, shifted, sizeof(bits));
    for (int i = 0; i < kBlock; ++i) bits[i] -= kRoundBits;
    for (int i = 0; i < kBlock; ++i) out->codes[i] = static_cast<int8_t>(bits[i]);
    int32_t low = 0, high = 0;
    for (int i = 0; i < kBlock / 2; ++i) {
      low += bits[i];
      high += bits[i + kBlock / 2];
    }
    out->scale = zero ? 0.0f : maximum / 127.0f;
    out->scaled_sum = out->scale * static_cast<float>(low + high);
    out->half_sums[0] = static_cast<int16_t>(low);
    out->half_sums[1] = static_cast<int16_t>(high);
  }
}

}  // namespace mlxr::kernels
