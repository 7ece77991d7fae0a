    constexpr uint EACH = (KEY_DIM + 31) / 32, COLUMNS = 4, KEYS = KEY_HEADS * KEY_DIM;
    constexpr uint CHANNELS = 2 * KEYS + VALUE_HEADS * VALUE_DIM;
    constexpr size_t STATE_SIZE = HISTORY + size_t(VALUE_HEADS) * KEY_DIM * VALUE_DIM;
    uint lane = thread_index_in_simdgroup, head = threadgroup_position_in_grid.y;
    uint sequence = threadgroup_position_in_grid.z;
    uint column = threadgroup_position_in_grid.x * COLUMNS + simdgroup_index_in_threadgroup;
    uint key_head = TILED ? head % KEY_HEADS : head / (VALUE_HEADS / KEY_HEADS);
    device float* page = after + size_t(sequence) * STATE_SIZE;
    // Everybody of this sequence copies a share of the history.
    uint threads = threadgroups_per_grid.x * threads_per_threadgroup.x * threadgroups_per_grid.y;
    uint own = head * threadgroups_per_grid.x * threads_per_threadgroup.x + thread_position_in_grid.x;
    for (uint i = own; i < HISTORY; i += threads) page[i] = histories[size_t(sequence) * HISTORY + i];
    if (column >= VALUE_DIM) return;
    size_t place = HISTORY + size_t(head) * KEY_DIM * VALUE_DIM + column;
    const device float* kept = (const device float*)states + size_t(sequence) * STATE_SIZE + place;
    float state[EACH], key[EACH], query[EACH];
    for (uint i = 0; i < EACH; ++i) state[i] = 32 * i + lane < KEY_DIM ? kept[(32 * i + lane) * VALUE_DIM] : 0.0f;
    for (uint row = starts[sequence]; row < uint(starts[sequence + 1]); ++row) {
        const device float* given = mixed + size_t(row) * CHANNELS;
        float key_square = 0, query_square = 0;
        for (uint i = 0; i < EACH; ++i) {
            uint at = 32 * i + lane;
            query[i] = at < KEY_DIM ? given[key_head * KEY_DIM + at] : 0.0f;
            key[i] = at < KEY_DIM ? given[KEYS + key_head * KEY_DIM + at] : 0.0f;
            query_square += query[i] * query[i], key_square += key[i] * key[i];
        }
        float query_factor = metal::precise::rsqrt(simd_sum(query_square) + 1e-6f);
        query_factor *= metal::precise::rsqrt(float(KEY_DIM));
        float key_factor = metal::precise::rsqrt(simd_sum(key_square) + 1e-6f);
        float decay = decays[size_t(row) * VALUE_HEADS + head], read = 0;
        for (uint i = 0; i < EACH; ++i) {
            key[i] *= key_factor, state[i] *= decay;
            read += key[i] * state[i];
        }
        float value = given[2 * KEYS + head * VALUE_DIM + column];
        float change = betas[size_t(row) * VALUE_HEADS + head] * (value - simd_sum(read)), sum = 0;
        for (uint i = 0; i < EACH; ++i) {
            state[i] += key[i] * change;
            sum += query[i] * state[i];
        }
        sum = simd_sum(sum) * query_factor;
        if (lane == 0) out[(size_t(row) * VALUE_HEADS + head) * VALUE_DIM + column] = sum;
    }
    for (uint i = 0; i < EACH; ++i)
        if (32 * i + lane < KEY_DIM) page[place + (32 * i + lane) * VALUE_DIM] = state[i];
