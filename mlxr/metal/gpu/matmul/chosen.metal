    constexpr uint SIMDGROUPS = 4, OUTPUTS = 4, RUNS = K / 32, PARTS = Block<TYPE>::WEIGHTS_EACH / 32;
    constexpr size_t ROW_BYTES = size_t(RUNS / PARTS) * Block<TYPE>::BYTES;
    uint first = (threadgroup_position_in_grid.x * SIMDGROUPS + simdgroup_index_in_threadgroup) * OUTPUTS;
    uint row = threadgroup_position_in_grid.y;
    const device X* mine = (const device X*)x + size_t(row / SHARING) * K;
    const device uchar* matrix = weight + size_t(chosen[row]) * N * ROW_BYTES;
    float sums[OUTPUTS];
    for (uint n = 0; n < OUTPUTS; ++n) sums[n] = 0;
    for (uint run = thread_index_in_simdgroup; run < RUNS; run += 32) {
        for (uint n = 0; n < OUTPUTS; ++n) {
            if (first + n >= N) break;
            float weights[32];
            Block<TYPE>::decode(
                matrix + (first + n) * ROW_BYTES + run / PARTS * Block<TYPE>::BYTES, run % PARTS, values, weights);
            for (uint i = 0; i < 8; ++i) {
                float4 four = float4(((const device vec<X, 4>*)(mine + run * 32))[i]);
                sums[n] += four.x * weights[4 * i] + four.y * weights[4 * i + 1] + four.z * weights[4 * i + 2] +
                           four.w * weights[4 * i + 3];
            }
        }
    }
    for (uint n = 0; n < OUTPUTS; ++n) {
        float sum = simd_sum(sums[n]);
        if (thread_index_in_simdgroup == 0 && first + n < N) out[size_t(row) * N + first + n] = OUT(sum);
    }
