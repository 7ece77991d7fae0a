// Float32 activations to int8.
//
// Per block of 32: scale = max |x| / 127, code = round to even(x * (127 / max |x|)), the same operations on every instruction
// set. Blocks below 2^-100 become zero, since 127 / max would overflow; a NaN or an infinity makes the block's scale one, and
// so every result that it touches.
#pragma once

#include <cstdint>

#include "matmul_kernels.h"

namespace mlxr::kernels {

template <class V>
void quantize(const float* x, int64_t cols, ActivationBlock* out) {
  for (const float* end = x + cols; x < end; x += kBlock, ++out) {
    const float largest = V::largest_magnitude(x);
    const bool zero = largest < 0x1p-100f;
    const float inverse = zero ? 0.0f : 127.0f / largest;
    V::round_block(x, inverse, *out);
    out->scale = zero ? 0.0f : largest / 127.0f;
    out->scaled_sum = out->scale * static_cast<float>(out->half_sums[0] + out->half_sums[1]);
  }
}

}  // namespace mlxr::kernels
