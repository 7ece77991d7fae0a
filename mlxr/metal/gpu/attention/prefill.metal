    constexpr uint GROUP = HEADS / KV_HEADS, TILE = 32, STEP = 32, PART = 32, THREADS = 128;
    constexpr uint HEADS_EACH = GROUP < TILE ? GROUP : TILE, PARTS_EACH = (GROUP + TILE - 1) / TILE;
    constexpr uint KEY_PARTS = (KEY_DIMS + PART - 1) / PART, VALUE_PARTS = (VALUES_EACH + PART - 1) / PART;
    uint first_value = threadgroup_position_in_grid.z * VALUES_EACH;
    threadgroup float left[TILE * PART];
    threadgroup float right[STEP * PART];
    threadgroup float scores[TILE * STEP];
    uint lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    uint thread_index = thread_index_in_threadgroup, tile = threadgroup_position_in_grid.y;
    uint kv_head = threadgroup_position_in_grid.x / PARTS_EACH;
    uint head_begin = kv_head * GROUP + threadgroup_position_in_grid.x % PARTS_EACH * HEADS_EACH;
    uint heads_here = min(HEADS_EACH, (kv_head + 1) * GROUP - head_begin);
    uint first_row = tiles[2 * tile], count = tiles[2 * tile + 1];
    size_t table = size_t(sequences[first_row]) * tables_shape[1];  // no pointer: tables may be constant
    // Pages before the first key may be others' by now, and zero times what is there need not be zero.
    uint seen = first_key(positions[first_row], WINDOW, CHUNKED), begin = seen / STEP * STEP;
    uint end = positions[first_row + count - 1] + 1;
    // A simdgroup has eight queries: query r is token r / HEADS_EACH and head r % HEADS_EACH of the tile. Of a matrix of
    // eight rows a lane holds two neighbours of one row.
    uint own = 8 * simdgroup, matrix_row = (lane / 4 & 4) + lane / 2 % 4, matrix_column = (lane / 4 & 2) * 2 + lane % 2 * 2;
    simdgroup_matrix<float, 8, 8> sums[VALUE_PARTS * (PART / 8)];
    for (uint i = 0; i < VALUE_PARTS * (PART / 8); ++i) sums[i] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    float high[8], total[8];
    for (uint r = 0; r < 8; ++r) {
        uint head = head_begin + (own + r) % HEADS_EACH;
        high[r] = head < HEADS ? sinks[head] : -INFINITY;
        total[r] = high[r] == -INFINITY ? 0.0f : 1.0f;
    }
    for (uint block = begin; block < end; block += STEP) {
        simdgroup_matrix<float, 8, 8> products[STEP / 8];
        for (uint n = 0; n < STEP / 8; ++n) products[n] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
        for (uint part = 0; part < KEY_PARTS; ++part) {
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (uint i = thread_index; i < TILE * PART; i += THREADS) {
                uint query = i / PART, at = part * PART + i % PART, token = query / HEADS_EACH;
                uint head = query % HEADS_EACH;
                bool there = token < count && token < TOKENS && head < heads_here && at < KEY_DIMS;
                left[i] = there ? queries[(size_t(first_row + token) * HEADS + head_begin + head) * KEY_DIMS + at] *
                                      scaling[0]
                                : 0.0f;
            }
            for (uint i = thread_index; i < STEP * PART; i += THREADS) {
                uint key = block + i / PART, at = part * PART + i % PART;
                float number = 0;
                if (key >= seen && key < end && at < KEY_DIMS) {
                    size_t slot = size_t(tables[table + key / PAGE_SIZE]) * PAGE_SIZE + key % PAGE_SIZE;
                    const device P* from = (const device P*)keys + (slot * KV_HEADS + kv_head) * KEY_WIDTH;
                    number = PageRow<P>::number(from, at, KEY_DIMS, KEY_BLOCK);
                }
                right[i] = number;
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (uint k = 0; k < PART; k += 8) {
                simdgroup_matrix<float, 8, 8> a, b;
                simdgroup_load(a, left + own * PART + k, PART);
                for (uint n = 0; n < STEP / 8; ++n) {
                    simdgroup_load(b, right + 8 * n * PART + k, PART, 0, true);
                    simdgroup_multiply_accumulate(products[n], a, b, products[n]);
                }
            }
        }
        for (uint n = 0; n < STEP / 8; ++n) simdgroup_store(products[n], scores + own * STEP + 8 * n, STEP);
        simdgroup_barrier(mem_flags::mem_threadgroup);
        float kept[8];
        for (uint r = 0; r < 8; ++r) {
            uint query = own + r, token = min(query / HEADS_EACH, count - 1), key = block + lane;
            uint position = positions[first_row + token];
            float score = scores[query * STEP + lane];
            if (SOFTCAP) score = scaling[1] * metal::precise::tanh(score / scaling[1]);
            bool visible = key <= position && key >= first_key(position, WINDOW, CHUNKED);
            float next = max(high[r], simd_max(visible ? score : -INFINITY));
            float weight = visible ? metal::precise::exp(score - next) : 0.0f;
            kept[r] = high[r] == -INFINITY ? 0.0f : metal::precise::exp(high[r] - next);
            total[r] = total[r] * kept[r] + simd_sum(weight);
            high[r] = next;
            scores[query * STEP + lane] = weight;
        }
        float factor = kept[0];
        for (uint r = 1; r < 8; ++r) factor = matrix_row == r ? kept[r] : factor;
        for (uint part = 0; part < VALUE_PARTS; ++part) {
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (uint i = thread_index; i < STEP * PART; i += THREADS) {
                uint key = block + i / PART, at = first_value + part * PART + i % PART;
                float number = 0;
                if (key >= seen && key < end && at < VALUE_DIMS) {
                    size_t slot = size_t(tables[table + key / PAGE_SIZE]) * PAGE_SIZE + key % PAGE_SIZE;
                    const device P* from = (const device P*)values + (slot * KV_HEADS + kv_head) * VALUE_WIDTH;
                    number = PageRow<P>::number(from, at, VALUE_DIMS, VALUE_BLOCK);
                }
                right[i] = number;
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);
            for (uint n = 0; n < PART / 8; ++n) {
                simdgroup_matrix<float, 8, 8> a, b;
                uint which = part * (PART / 8) + n;
                sums[which].thread_elements()[0] *= factor;
                sums[which].thread_elements()[1] *= factor;
                for (uint k = 0; k < STEP; k += 8) {
                    simdgroup_load(a, scores + own * STEP + k, STEP);
                    simdgroup_load(b, right + k * PART + 8 * n, PART);
                    simdgroup_multiply_accumulate(sums[which], a, b, sums[which]);
                }
            }
        }
    }
    float whole = total[0];
    for (uint r = 1; r < 8; ++r) whole = matrix_row == r ? total[r] : whole;
    uint query = own + matrix_row, token = query / HEADS_EACH, head = query % HEADS_EACH;
    if (token >= count || token >= TOKENS || head >= heads_here) return;
    device float* to = out + (size_t(first_row + token) * HEADS + head_begin + head) * VALUE_DIMS;
    for (uint which = 0; which < VALUE_PARTS * (PART / 8); ++which)
        for (uint i = 0; i < 2; ++i) {
            uint within = 8 * which + matrix_column + i, at = first_value + within;
            if (within < VALUES_EACH && at < VALUE_DIMS) to[at] = sums[which].thread_elements()[i] / whole;
        }
