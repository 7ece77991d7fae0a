    constexpr int EACH = 32 / BITS, WORDS_EACH = 4;
    const size_t first = size_t(blockIdx.x) * blockDim.x * WORDS_EACH + threadIdx.x;
#pragma unroll
    for (int i = 0; i < WORDS_EACH; ++i) {
        const size_t word = first + i * blockDim.x;
        if (word >= WORDS) break;
        float values[EACH];
        __align__(16) __half2 pairs[EACH / 2];
        tables::take_apart<BITS>(
            packed[word], float(scales[word * EACH / GROUP]), float(biases[word * EACH / GROUP]), values
        );
#pragma unroll
        for (int j = 0; j < EACH / 2; ++j) pairs[j] = __floats2half2_rn(values[2 * j], values[2 * j + 1]);
        if constexpr (EACH == 8)
            ((uint4*)out)[word] = *(uint4*)pairs;
        else
            ((uint2*)out)[word] = *(uint2*)pairs;
    }
