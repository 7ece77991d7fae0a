    constexpr uint SIMDGROUPS = 4, RUNS = K / 32;
    constexpr uint PARTS = Block<TYPE>::WEIGHTS_EACH / 32;
    constexpr size_t ROW_BYTES = size_t(RUNS / PARTS) * Block<TYPE>::BYTES;
    uint first = (threadgroup_position_in_grid.x * SIMDGROUPS + simdgroup_index_in_threadgroup) * OUTPUTS;
    float sums[OUTPUTS][M];
    for (uint n = 0; n < OUTPUTS; ++n)
        for (uint m = 0; m < M; ++m) sums[n][m] = 0;
    for (uint run = thread_index_in_simdgroup; run < RUNS; run += 32) {
        for (uint n = 0; n < OUTPUTS; ++n) {
            if (first + n >= N) break;
            float weights[32];
            const device uchar* row = weight + size_t(first + n) * ROW_BYTES;
            Block<TYPE>::decode(row + run / PARTS * Block<TYPE>::BYTES, run % PARTS, values, weights);
            for (uint m = 0; m < M; ++m) {
                const device vec<X, 4>* from = (const device vec<X, 4>*)(x + size_t(m) * K + run * 32);
                float sum = 0;
                for (uint i = 0; i < 8; ++i) {
                    float4 four = float4(from[i]);
                    sum += four.x * weights[4 * i] + four.y * weights[4 * i + 1] + four.z * weights[4 * i + 2] +
                           four.w * weights[4 * i + 3];
                }
                sums[n][m] += sum;
            }
        }
    }
    for (uint n = 0; n < OUTPUTS; ++n) {
        for (uint m = 0; m < M; ++m) {
            float sum = simd_sum(sums[n][m]);
            if (thread_index_in_simdgroup == 0 && first + n < N) out[size_t(m) * N + first + n] = OUT(sum);
        }
    }
