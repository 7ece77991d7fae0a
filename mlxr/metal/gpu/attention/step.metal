    // A threadgroup has AT_ONCE heads of queries of one row, all of one head of keys, and a split of the keys. EACH
    // numbers of a key are a lane's, LANES lanes have a key, and a simdgroup has TOKENS keys at a time.
    constexpr uint SIMDGROUPS = 4, THREADS = 32 * SIMDGROUPS, HEADS = KV_HEADS * GROUP, FOURS = EACH / 4;
    constexpr uint LANES = lanes_of(DIMS, EACH), TOKENS = 32 / LANES, VECTORS = AT_ONCE + (OWN_KEYS ? 2 : 0);
    constexpr uint SINKS_AT = NORMED ? 4 + 2 * DIMS : 4;
    threadgroup float numbers[VECTORS * DIMS];  // queries, then the row's own key and value
    threadgroup float parts[AT_ONCE * DIMS];
    threadgroup float highest[SIMDGROUPS * AT_ONCE];
    threadgroup float totals[SIMDGROUPS * AT_ONCE];
    threadgroup uint came[1];
    uint lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    uint thread_index = thread_index_in_threadgroup, row = threadgroup_position_in_grid.z;
    uint head = threadgroup_position_in_grid.x * AT_ONCE, kv_head = head / GROUP;
    size_t own_layout = size_t(row) * layout_shape[1], turns = own_layout + 2, table = turns + 2 * PAIRS;
    int slot_of_own = layout[own_layout + 1];
    uint position = uint(layout[own_layout]) - 1, seen = first_seen(position, WINDOW, CHUNKED);
    uint split_keys = split_keys_of(position + 1 - seen, SPLIT_KEYS), from = seen / split_keys;
    uint splits = position / split_keys - from + 1, split = threadgroup_position_in_grid.y;
    if (split == 0 && head == 0 && row == 0 && thread_index == 0) done[0] = 0;
    if (split >= splits) return;
    uint begin = max((from + split) * split_keys, seen);
    uint end = min((from + split + 1) * split_keys, position + 1);
    bool has_own = OWN_KEYS && split == splits - 1;

    float unit = constants[1] * (SOFTCAP ? 1.0f : LOG2_E);  // scores are exponents of 2
    for (uint vector = simdgroup; vector < AT_ONCE + (has_own ? 2 : 0); vector += SIMDGROUPS) {
        bool is_query = vector < AT_ONCE, is_value = vector == AT_ONCE + 1;
        threadgroup float* own = numbers + vector * DIMS;
        for (uint i = lane; i < DIMS; i += 32) {
            own[i] = is_query ? float(queries[row * queries_strides[0] + QUERIES_AT + (head + vector) * DIMS + i])
                     : is_value ? float(new_values[row * new_values_strides[0] + VALUES_AT + kv_head * DIMS + i])
                                : float(new_keys[row * new_keys_strides[0] + KEYS_AT + kv_head * DIMS + i]);
        }
        simdgroup_barrier(mem_flags::mem_threadgroup);
        for (uint step = 0; step < 2; ++step) {
            bool norms = is_value ? NORM_VALUES && step == 0 : NORMED && step == (ROPE_FIRST ? 1u : 0u);
            if (norms) {
                float squares = 0;
                for (uint i = lane; i < DIMS; i += 32) squares += own[i] * own[i];
                float factor = metal::precise::rsqrt(simd_sum(squares) / DIMS + constants[0]);
                for (uint i = lane; i < DIMS; i += 32)
                    own[i] *= factor * (is_value ? 1.0f : constants[4 + (is_query ? i : DIMS + i)]);
                simdgroup_barrier(mem_flags::mem_threadgroup);
            }
            if (!is_value && STYLE != 0 && step == (ROPE_FIRST ? 0u : 1u)) {
                for (uint pair = lane; pair < PAIRS; pair += 32) {
                    uint one = STYLE == 1 ? 2 * pair : pair, other = STYLE == 1 ? 2 * pair + 1 : pair + PAIRS;
                    float a = own[one], b = own[other];
                    float cosine = as_type<float>(layout[turns + pair]), sine = as_type<float>(layout[turns + PAIRS + pair]);
                    own[one] = a * cosine - b * sine;
                    own[other] = a * sine + b * cosine;
                }
                simdgroup_barrier(mem_flags::mem_threadgroup);
            }
        }
        // Keys and values as pages have them, so that a token is seen alike now and later.
        for (uint i = lane; i < DIMS; i += 32) own[i] = is_query ? own[i] * unit : float(half(own[i]));
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (has_own && head % GROUP == 0 && slot_of_own >= 0) {
        size_t to = (size_t(slot_of_own) * KV_HEADS + kv_head) * DIMS;
        for (uint i = thread_index; i < 2 * DIMS; i += THREADS) {
            device half* pages = (device half*)(i < DIMS ? keys : values);
            pages[to + i % DIMS] = half(numbers[AT_ONCE * DIMS + i]);
        }
    }

    uint at = lane % LANES * EACH;
    float4 query[AT_ONCE][FOURS], sums[AT_ONCE][FOURS];
    float high[AT_ONCE], total[AT_ONCE];
    for (uint q = 0; q < AT_ONCE; ++q) {
        high[q] = LOWEST, total[q] = 0;
        for (uint i = 0; i < FOURS; ++i) {
            sums[q][i] = float4(0.0f);
            query[q][i] = at + 4 * i < DIMS ? four_at(numbers + q * DIMS + at + 4 * i) : float4(0.0f);
        }
    }
    for (uint base = begin + simdgroup * TOKENS; base < end; base += SIMDGROUPS * TOKENS) {
        uint key = base + lane / LANES;
        float4 ours[FOURS], theirs[FOURS];  // of the key, and of the value
        for (uint i = 0; i < FOURS; ++i) ours[i] = float4(0.0f), theirs[i] = float4(0.0f);
        if (has_own && key == position) {
            for (uint i = 0; i < FOURS; ++i) {
                if (at + 4 * i >= DIMS) break;
                ours[i] = four_at(numbers + AT_ONCE * DIMS + at + 4 * i);
                theirs[i] = four_at(numbers + (AT_ONCE + 1) * DIMS + at + 4 * i);
            }
        } else if (key < end) {
            size_t slot = size_t(layout[table + key / PAGE_SIZE]) * PAGE_SIZE + key % PAGE_SIZE;
            size_t begins = (slot * KV_HEADS + kv_head) * DIMS + at;
            for (uint i = 0; i < FOURS; ++i) {
                if (at + 4 * i >= DIMS) break;
                ours[i] = float4(((const device half4*)(keys + begins))[i]);
                theirs[i] = float4(((const device half4*)(values + begins))[i]);
            }
        }
        for (uint q = 0; q < AT_ONCE; ++q) {
            float score = 0;
            for (uint i = 0; i < FOURS; ++i) score += dot(query[q][i], ours[i]);
            for (uint step = 1; step < LANES; step *= 2) score += simd_shuffle_xor(score, step);
            if (SOFTCAP) score = LOG2_E * constants[2] * metal::precise::tanh(score / constants[2]);
            if (key >= end) score = LOWEST;
            float next = max(high[q], score);
            float kept = metal::exp2(high[q] - next), weight = key < end ? metal::exp2(score - next) : 0.0f;
            high[q] = next;
            total[q] = total[q] * kept + weight;
            for (uint i = 0; i < FOURS; ++i) sums[q][i] = sums[q][i] * float4(kept) + theirs[i] * float4(weight);
        }
    }

    for (uint q = 0; q < AT_ONCE; ++q) {
        for (uint step = LANES; step < 32; step *= 2) {
            float other = simd_shuffle_xor(high[q], step), next = max(high[q], other);
            float mine = metal::exp2(high[q] - next), yours = metal::exp2(other - next);
            total[q] = total[q] * mine + simd_shuffle_xor(total[q], step) * yours;
            for (uint i = 0; i < FOURS; ++i)
                sums[q][i] = sums[q][i] * float4(mine) + simd_shuffle_xor(sums[q][i], step) * float4(yours);
            high[q] = next;
        }
        if (lane == 0) highest[simdgroup * AT_ONCE + q] = high[q], totals[simdgroup * AT_ONCE + q] = total[q];
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    // One simdgroup after the other adds what it has.
    for (uint s = 0; s < SIMDGROUPS; ++s) {
        for (uint q = 0; simdgroup == s && lane < LANES && q < AT_ONCE; ++q) {
            float top = LOWEST;
            for (uint o = 0; o < SIMDGROUPS; ++o) top = max(top, highest[o * AT_ONCE + q]);
            float4 factor = float4(metal::exp2(high[q] - top));
            for (uint i = 0; i < FOURS; ++i) {
                if (at + 4 * i >= DIMS) break;
                threadgroup float* to = parts + q * DIMS + at + 4 * i;
                float4 sum = sums[q][i] * factor + (s == 0 ? float4(0.0f) : four_at(to));
                to[0] = sum.x, to[1] = sum.y, to[2] = sum.z, to[3] = sum.w;
            }
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    size_t first = (size_t(row) * HEADS + head) * threadgroups_per_grid.y;
    COHERENT device float* all_parts = (COHERENT device float*)scratch;
    COHERENT device float* all_states =
        all_parts + size_t(threadgroups_per_grid.z) * HEADS * threadgroups_per_grid.y * DIMS;
    for (uint i = thread_index; i < AT_ONCE * DIMS; i += THREADS) {
        uint q = i / DIMS;
        float top = LOWEST, whole = 0;
        for (uint s = 0; s < SIMDGROUPS; ++s) top = max(top, highest[s * AT_ONCE + q]);
        for (uint s = 0; s < SIMDGROUPS; ++s)
            whole += totals[s * AT_ONCE + q] * metal::exp2(highest[s * AT_ONCE + q] - top);
        if (splits == 1) {
            float sink = SINKS ? constants[SINKS_AT + head + q] * LOG2_E : LOWEST, over = max(top, sink);
            float factor = metal::exp2(top - over);
            out[(size_t(row) * HEADS + head) * DIMS + i] =
                half(parts[i] * factor / (whole * factor + metal::exp2(sink - over)));
        } else {
            size_t to = first + q * threadgroups_per_grid.y + split;
            all_parts[to * DIMS + i % DIMS] = parts[i];
            if (i % DIMS == 0) all_states[2 * to] = top, all_states[2 * to + 1] = whole;
        }
    }
    if (splits == 1) return;

    // The last threadgroup of these heads to come here adds up what all have left. A fence stands on either side of each
    // barrier: what other threads of a group did is told by the one that counts.
    device_fence();
    threadgroup_barrier(mem_flags::mem_device);
    device atomic_uint* counter = (device atomic_uint*)tickets + row * (HEADS / AT_ONCE) + head / AT_ONCE;
    if (thread_index == 0) {
        device_fence();
        came[0] = atomic_fetch_add_explicit(counter, 1u, memory_order_relaxed);
        device_fence();
    }
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    if (came[0] != splits - 1) return;
    device_fence();
    if (thread_index == 0) atomic_store_explicit(counter, 0u, memory_order_relaxed);
    for (uint i = thread_index; i < AT_ONCE * DIMS; i += THREADS) {
        size_t from = first + i / DIMS * threadgroups_per_grid.y;
        float sink = SINKS ? constants[SINKS_AT + head + i / DIMS] * LOG2_E : LOWEST, top = max(sink, LOWEST), sum = 0;
        for (uint s = 0; s < splits; ++s) top = max(top, all_states[2 * (from + s)]);
        float whole = metal::exp2(sink - top);
        for (uint s = 0; s < splits; ++s) {
            float factor = metal::exp2(all_states[2 * (from + s)] - top);
            whole += all_states[2 * (from + s) + 1] * factor;
            sum += all_parts[(from + s) * DIMS + i % DIMS] * factor;
        }
        out[(size_t(row) * HEADS + head) * DIMS + i] = half(sum / whole);
    }
