// What a word of codes stands for.
#pragma once

namespace tables {

// The word's codes, the lowest bits first, times scale, plus bias.
template <int BITS>
__device__ inline void take_apart(unsigned word, float scale, float bias, float* values) {
#pragma unroll
    for (int i = 0; i < 32 / BITS; ++i) values[i] = float(word >> (i * BITS) & ((1u << BITS) - 1)) * scale + bias;
}

}  // namespace tables
