    constexpr uint GIVEN = HEADS + (VALUES_ARE_KEYS ? 1 : 2) * KV_HEADS;
    threadgroup float numbers[DIMS];
    uint row = threadgroup_position_in_grid.y, head = threadgroup_position_in_grid.x, lane = thread_index_in_simdgroup;
    bool is_query = head < HEADS, is_value = head >= HEADS + KV_HEADS;
    uint from = VALUES_ARE_KEYS && is_value ? head - KV_HEADS : head;
    for (uint i = lane; i < DIMS; i += 32) numbers[i] = x[(size_t(row) * GIVEN + from) * DIMS + i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint step = 0; step < 2; ++step) {
        bool norms = is_value ? NORM_VALUES && step == 0 : NORMED && step == (ROPE_FIRST ? 1u : 0u);
        if (norms) {
            float squares = 0;
            for (uint i = lane; i < DIMS; i += 32) squares += numbers[i] * numbers[i];
            float factor = metal::precise::rsqrt(simd_sum(squares) / DIMS + eps[0]);
            for (uint i = lane; i < DIMS; i += 32) {
                float weight = is_value ? 1.0f : is_query ? query_norm[i] : key_norm[i];
                numbers[i] *= factor * weight;
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);
        }
        if (!is_value && STYLE != 0 && step == (ROPE_FIRST ? 0u : 1u)) {
            for (uint pair = lane; pair < PAIRS; pair += 32) {
                uint first = STYLE == 1 ? 2 * pair : pair, second = STYLE == 1 ? 2 * pair + 1 : pair + PAIRS;
                float cosine = angles[size_t(row) * 2 * PAIRS + pair];
                float sine = angles[size_t(row) * 2 * PAIRS + PAIRS + pair];
                float a = numbers[first], b = numbers[second];
                numbers[first] = a * cosine - b * sine;
                numbers[second] = a * sine + b * cosine;
            }
            threadgroup_barrier(mem_flags::mem_threadgroup);
        }
    }
    if (is_query) {
        for (uint i = lane; i < DIMS; i += 32)
            queries[(size_t(row) * HEADS + head) * DIMS + i] = numbers[i] * temperatures[row];
    } else if (slots[row] >= 0) {
        uint kept = (head - HEADS) % KV_HEADS;
        device P* pages = (device P*)(is_value ? values : keys) + (size_t(slots[row]) * KV_HEADS + kept) * DIMS;
        for (uint i = lane; i < DIMS; i += 32) pages[i] = P(numbers[i]);
    }
