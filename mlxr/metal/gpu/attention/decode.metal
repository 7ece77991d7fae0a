    constexpr uint SIMDGROUPS = 4, KEYS_EACH = (KEY_DIMS + 31) / 32, VALUES_EACH = (VALUE_DIMS + 31) / 32;
    constexpr uint MOST = KEY_DIMS > VALUE_DIMS ? KEY_DIMS : VALUE_DIMS;
    threadgroup float shared_numbers[AT_ONCE * MOST];
    threadgroup float highest[SIMDGROUPS * AT_ONCE];
    threadgroup float totals[SIMDGROUPS * AT_ONCE];
    uint lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    uint row = threadgroup_position_in_grid.y, split = threadgroup_position_in_grid.z;
    uint head = threadgroup_position_in_grid.x * AT_ONCE, kv_head = head / (HEADS / KV_HEADS);
    uint splits = threadgroups_per_grid.z, position = positions[row];
    uint begin = split * SPLIT_KEYS, seen = first_key(position, WINDOW, CHUNKED);
    uint end = min(begin + SPLIT_KEYS, position + 1);
    begin = max(begin, seen);
    for (uint i = thread_index_in_threadgroup; i < AT_ONCE * KEY_DIMS; i += 32 * SIMDGROUPS)
        shared_numbers[i] = queries[(size_t(row) * HEADS + head) * KEY_DIMS + i] * scaling[0];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float sums[AT_ONCE][VALUES_EACH], high[AT_ONCE], total[AT_ONCE];
    for (uint q = 0; q < AT_ONCE; ++q) {
        high[q] = -INFINITY, total[q] = 0;
        for (uint i = 0; i < VALUES_EACH; ++i) sums[q][i] = 0;
    }
    const device int* table = tables + size_t(sequences[row]) * tables_shape[1];
    for (uint key = begin + simdgroup; key < end; key += SIMDGROUPS) {
        size_t slot = size_t(table[key / PAGE_SIZE]) * PAGE_SIZE + key % PAGE_SIZE;
        const device P* key_row = (const device P*)keys + (slot * KV_HEADS + kv_head) * KEY_WIDTH;
        const device P* value_row = (const device P*)values + (slot * KV_HEADS + kv_head) * VALUE_WIDTH;
        float numbers[KEYS_EACH], found[VALUES_EACH];
        for (uint i = 0; i < KEYS_EACH; ++i) {
            uint at = 32 * i + lane;
            numbers[i] = at < KEY_DIMS ? PageRow<P>::number(key_row, at, KEY_DIMS, KEY_BLOCK) : 0.0f;
        }
        for (uint i = 0; i < VALUES_EACH; ++i) {
            uint at = 32 * i + lane;
            found[i] = at < VALUE_DIMS ? PageRow<P>::number(value_row, at, VALUE_DIMS, VALUE_BLOCK) : 0.0f;
        }
        for (uint q = 0; q < AT_ONCE; ++q) {
            float score = 0;
            for (uint i = 0; i < KEYS_EACH; ++i) {
                uint at = 32 * i + lane;
                if (at < KEY_DIMS) score += numbers[i] * shared_numbers[q * KEY_DIMS + at];
            }
            score = simd_sum(score);
            if (SOFTCAP) score = scaling[1] * metal::precise::tanh(score / scaling[1]);
            float next = max(high[q], score);
            float kept = metal::precise::exp(high[q] - next), weight = metal::precise::exp(score - next);
            high[q] = next;
            total[q] = total[q] * kept + weight;
            for (uint i = 0; i < VALUES_EACH; ++i) sums[q][i] = sums[q][i] * kept + weight * found[i];
        }
    }
    if (lane == 0) {
        for (uint q = 0; q < AT_ONCE; ++q) {
            highest[simdgroup * AT_ONCE + q] = high[q];
            totals[simdgroup * AT_ONCE + q] = total[q];
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    // One simdgroup after the other adds what it has, in the queries' place.
    for (uint turn = 0; turn < SIMDGROUPS; ++turn) {
        if (simdgroup == turn) {
            for (uint q = 0; q < AT_ONCE; ++q) {
                float top = -INFINITY;
                for (uint s = 0; s < SIMDGROUPS; ++s) top = max(top, highest[s * AT_ONCE + q]);
                float factor = high[q] == -INFINITY ? 0.0f : metal::precise::exp(high[q] - top);
                for (uint i = 0; i < VALUES_EACH; ++i) {
                    uint at = 32 * i + lane;
                    if (at >= VALUE_DIMS) continue;
                    float before = turn == 0 ? 0.0f : shared_numbers[q * VALUE_DIMS + at];
                    shared_numbers[q * VALUE_DIMS + at] = before + sums[q][i] * factor;
                }
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (uint i = thread_index_in_threadgroup; i < AT_ONCE * VALUE_DIMS; i += 32 * SIMDGROUPS) {
        uint q = i / VALUE_DIMS, at = i % VALUE_DIMS;
        partial[((size_t(row) * HEADS + head + q) * splits + split) * VALUE_DIMS + at] = shared_numbers[i];
    }
    if (thread_index_in_threadgroup < AT_ONCE) {
        uint q = thread_index_in_threadgroup;
        float top = -INFINITY, all = 0;
        for (uint s = 0; s < SIMDGROUPS; ++s) top = max(top, highest[s * AT_ONCE + q]);
        for (uint s = 0; s < SIMDGROUPS; ++s) {
            float own = highest[s * AT_ONCE + q];
            if (own != -INFINITY) all += totals[s * AT_ONCE + q] * metal::precise::exp(own - top);
        }
        size_t to = ((size_t(row) * HEADS + head + q) * splits + split) * 2;
        states[to] = top, states[to + 1] = all;
    }
