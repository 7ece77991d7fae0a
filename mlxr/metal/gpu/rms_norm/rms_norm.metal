    constexpr uint SIMDGROUPS = 8, THREADS = 32 * SIMDGROUPS;
    threadgroup float parts[SIMDGROUPS];
    uint row = threadgroup_position_in_grid.x, thread_index = thread_position_in_threadgroup.x;
    size_t begin = size_t(row) * WIDTH;
    float squares = 0;
    for (uint i = thread_index; i < WIDTH; i += THREADS) {
        float value = float(x[begin + i]) + float(residual[begin + i]);
        sum[begin + i] = value;
        squares += value * value;
    }
    squares = simd_sum(squares);
    if (thread_index_in_simdgroup == 0) parts[simdgroup_index_in_threadgroup] = squares;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float total = 0;
    for (uint i = 0; i < SIMDGROUPS; ++i) total += parts[i];
    float factor = metal::precise::rsqrt(total / WIDTH + eps[0]);
    for (uint i = thread_index; i < WIDTH; i += THREADS) out[begin + i] = T(sum[begin + i] * factor * weight[i]);
