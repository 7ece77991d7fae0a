    threadgroup float left[32 * 64];
    threadgroup float right[32 * 64];
    // The tile's expert: the first whose tiles, with those of all before it, are more than come before this one.
    uint tile = threadgroup_position_in_grid.y, expert = 0;
    for (; expert < EXPERTS; ++expert) {
        uint tiles = (uint(starts[expert + 1] - starts[expert]) + 31) / 32;
        if (tile < tiles) break;
        tile -= tiles;
    }
    if (expert == EXPERTS) return;
    uint column = threadgroup_position_in_grid.x * 32, row = uint(starts[expert]) + tile * 32;
    constexpr size_t ROW_BYTES = size_t(K / Block<TYPE>::WEIGHTS_EACH) * Block<TYPE>::BYTES;
    multiply_tile<TYPE, N, K, X, OUT>(
        x + size_t(row) * K, weight + (size_t(expert) * N + column) * ROW_BYTES, values,
        min(32u, uint(starts[expert + 1]) - row), min(32u, uint(N) - column), out + size_t(row) * N + column, left,
        right, thread_position_in_threadgroup.x, simdgroup_index_in_threadgroup);
