    constexpr unsigned WARPS = 4, RUNS = K / 32, PARTS = Block<TYPE>::WEIGHTS_EACH / 32;
    constexpr size_t ROW_BYTES = size_t(RUNS / PARTS) * Block<TYPE>::BYTES;
    unsigned lane = threadIdx.x % 32, first = (blockIdx.x * WARPS + threadIdx.x / 32) * OUTPUTS;
    float sums[OUTPUTS][M];
    for (unsigned n = 0; n < OUTPUTS; ++n)
        for (unsigned m = 0; m < M; ++m) sums[n][m] = 0;
    for (unsigned run = lane; run < RUNS; run += 32) {
#pragma unroll
        for (unsigned n = 0; n < OUTPUTS; ++n) {
            if (first + n >= N) break;
            float weights[32];
            const unsigned char* row = weight + size_t(first + n) * ROW_BYTES;
            Block<TYPE>::decode(row + run / PARTS * Block<TYPE>::BYTES, run % PARTS, values, weights);
#pragma unroll
            for (unsigned m = 0; m < M; ++m) {
                const float4* from = (const float4*)(x + size_t(m) * K + run * 32);
                float sum = 0;
#pragma unroll
                for (unsigned i = 0; i < 8; ++i) {
                    float4 four = from[i];
                    sum += four.x * weights[4 * i] + four.y * weights[4 * i + 1] + four.z * weights[4 * i + 2] +
                           four.w * weights[4 * i + 3];
                }
                sums[n][m] += sum;
            }
        }
    }
    for (unsigned n = 0; n < OUTPUTS; ++n) {
        for (unsigned m = 0; m < M; ++m) {
            float sum = sums[n][m];
            for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
            if (lane == 0 && first + n < N) out[size_t(m) * N + first + n] = sum;
        }
    }
