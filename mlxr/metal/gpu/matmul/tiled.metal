    threadgroup float left[32 * 64];
    threadgroup float right[32 * 64];
    uint column = threadgroup_position_in_grid.x * 32, row = threadgroup_position_in_grid.y * 32;
    constexpr size_t ROW_BYTES = size_t(K / Block<TYPE>::WEIGHTS_EACH) * Block<TYPE>::BYTES;
    multiply_tile<TYPE, N, K, X, OUT>(
        x + size_t(row) * K, weight + column * ROW_BYTES, values, min(32u, uint(x_shape[0]) - row),
        min(32u, uint(N) - column), out + size_t(row) * N + column, left, right, thread_position_in_threadgroup.x,
        simdgroup_index_in_threadgroup);
