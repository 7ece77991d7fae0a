    constexpr uint EACH = (STATE + 31) / 32, COLUMNS = 4, INNER = HEADS * HEAD_DIM;
    constexpr uint CHANNELS = INNER + 2 * GROUPS * STATE;
    constexpr size_t STATE_SIZE = HISTORY + size_t(INNER) * STATE;
    uint lane = thread_index_in_simdgroup, head = threadgroup_position_in_grid.y;
    uint sequence = threadgroup_position_in_grid.z, group = head / (HEADS / GROUPS);
    uint column = threadgroup_position_in_grid.x * COLUMNS + simdgroup_index_in_threadgroup;
    device float* page = after + size_t(sequence) * STATE_SIZE;
    // Everybody of this sequence copies a share of the history.
    uint threads = threadgroups_per_grid.x * threads_per_threadgroup.x * threadgroups_per_grid.y;
    uint own = head * threadgroups_per_grid.x * threads_per_threadgroup.x + thread_position_in_grid.x;
    for (uint i = own; i < HISTORY; i += threads) page[i] = histories[size_t(sequence) * HISTORY + i];
    if (column >= HEAD_DIM) return;
    size_t place = HISTORY + size_t(head) * STATE * HEAD_DIM + column;
    const device float* kept = (const device float*)states + size_t(sequence) * STATE_SIZE + place;
    float state[EACH];
    for (uint i = 0; i < EACH; ++i) state[i] = 32 * i + lane < STATE ? kept[(32 * i + lane) * HEAD_DIM] : 0.0f;
    for (uint row = starts[sequence]; row < uint(starts[sequence + 1]); ++row) {
        const device float* given = mixed + size_t(row) * CHANNELS;
        float step = steps[size_t(row) * HEADS + head], value = given[head * HEAD_DIM + column];
        float keeps = metal::precise::exp(step * decay[head]), sum = 0;
        for (uint i = 0; i < EACH; ++i) {
            uint at = 32 * i + lane;
            if (at >= STATE) continue;
            state[i] = keeps * state[i] + given[INNER + group * STATE + at] * step * value;
            sum += given[INNER + (GROUPS + group) * STATE + at] * state[i];
        }
        sum = simd_sum(sum) + skip[head] * value;
        if (lane == 0) out[(size_t(row) * HEADS + head) * HEAD_DIM + column] = sum;
    }
    for (uint i = 0; i < EACH; ++i)
        if (32 * i + lane < STATE) page[place + (32 * i + lane) * HEAD_DIM] = state[i];
