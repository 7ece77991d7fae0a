    constexpr unsigned WARPS = 8, WORDS = BITS;  // a group of 32 codes has as many words as a code has bits
    __shared__ float sums[WARPS][TILES][128];
    const unsigned rows = x_shape[0], columns = x_shape[1];
    const unsigned outputs = scales_shape[scales_ndim - 2], groups = scales_shape[scales_ndim - 1];
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32, quad = lane / 4, member = lane % 4;
    const unsigned first = blockIdx.x * 16 + quad;
    float accumulated[TILES][4];
#pragma unroll
    for (unsigned tile = 0; tile < TILES; ++tile)
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) accumulated[tile][i] = 0;
#pragma unroll 2
    for (unsigned chunk = warp; chunk < columns / 128; chunk += WARPS) {
        const unsigned group = chunk * 4 + member, part = group / groups, within = group % groups;
        // Two rows of the matrix: their groups of 32, with a scale and a bias each.
        uint4 codes[2][WORDS / 4];
        __half2 scale[2], bias[2];
#pragma unroll
        for (unsigned half = 0; half < 2; ++half) {
            size_t at = (size_t(part) * outputs + first + half * 8) * groups + within;
#pragma unroll
            for (unsigned i = 0; i < WORDS / 4; ++i) codes[half][i] = __ldcs((const uint4*)packed + at * (WORDS / 4) + i);
            scale[half] = __half2half2(scales[at]);
            bias[half] = __half2half2(biases[at]);
        }
        uint4 inputs[TILES][4];
#pragma unroll
        for (unsigned tile = 0; tile < TILES; ++tile) {
            unsigned row = tile * 8 + quad;
#pragma unroll
            for (unsigned i = 0; i < 4; ++i)
                inputs[tile][i] = row < rows ? ((const uint4*)(x + size_t(row) * columns + group * 32))[i]
                                             : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) {
            unsigned weights[2][4];  // eight weights of each row, two in a register
#pragma unroll
            for (unsigned half = 0; half < 2; ++half) {
                const unsigned* words = (const unsigned*)codes[half];
                decode_eight<BITS>(words + i * (WORDS / 4), scale[half], bias[half], weights[half]);
            }
#pragma unroll
            for (unsigned tile = 0; tile < TILES; ++tile) {
                unsigned others[4];
                order_eight<BITS>(inputs[tile][i], others);
#pragma unroll
                for (unsigned step = 0; step < 4; step += 2)
                    multiply(
                        accumulated[tile], weights[0][step], weights[1][step], weights[0][step + 1],
                        weights[1][step + 1], others[step], others[step + 1]
                    );
            }
        }
    }
#pragma unroll
    for (unsigned tile = 0; tile < TILES; ++tile)
#pragma unroll
        for (unsigned i = 0; i < 4; ++i) sums[warp][tile][i * 32 + lane] = accumulated[tile][i];
    __syncthreads();
    for (unsigned at = threadIdx.x; at < TILES * 128; at += WARPS * 32) {
        unsigned tile = at / 128, i = at % 128 / 32, from = at % 32;
        float sum = 0;
#pragma unroll
        for (unsigned w = 0; w < WARPS; ++w) sum += sums[w][tile][at % 128];
        unsigned row = tile * 8 + from % 4 * 2 + i % 2, output = blockIdx.x * 16 + from / 4 + i / 2 * 8;
        if (row < rows) out[size_t(row) * outputs + output] = __float2half(sum);
    }
