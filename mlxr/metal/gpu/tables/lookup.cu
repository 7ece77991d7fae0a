    const unsigned row = blockIdx.x;
    const int token = tokens[row];
    float* to = out + size_t(row) * COLUMNS;
    const bool known = token >= 0 && token < ENTRIES;
    if constexpr (BITS == 16) {
        for (int at = threadIdx.x; at < COLUMNS; at += blockDim.x)
            to[at] = known ? float(packed[size_t(token) * COLUMNS + at]) : 0.0f;
    } else {
        constexpr int EACH = 32 / BITS, WORDS = COLUMNS / EACH;
        for (int word = threadIdx.x; word < WORDS; word += blockDim.x) {
            float values[EACH];
            const size_t group = size_t(known ? token : 0) * (COLUMNS / GROUP) + word * EACH / GROUP;
            const unsigned codes = packed[size_t(known ? token : 0) * WORDS + word];
            tables::take_apart<BITS>(codes, float(scales[group]), float(biases[group]), values);
#pragma unroll
            for (int i = 0; i < EACH; ++i) to[word * EACH + i] = known ? values[i] : 0.0f;
        }
    }
