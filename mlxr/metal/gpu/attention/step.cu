    using Step = attention_step::Step<
        DIMS, KV_HEADS, GROUP, PAIRS, STYLE, PAGE_SIZE, WINDOW, CHUNKED, NORMED, ROPE_FIRST, NORM_VALUES, OWN_KEYS, SOFTCAP,
        SINKS, KEY_BLOCK, VALUE_BLOCK>;
    static_assert(Step::THREADS == THREADS);
    __shared__ Step::Shared shared;
    const int head = blockIdx.x, split = blockIdx.y, row = blockIdx.z;
    Step::run<OUTPUT_LAYOUT, true>(
        shared, {row, int(gridDim.z), head, split, (size_t(row) * KV_HEADS + head) * gridDim.y},
        queries + row * queries_strides[0] + QUERIES_AT, new_keys + row * new_keys_strides[0] + KEYS_AT,
        new_values + row * new_values_strides[0] + VALUES_AT, layout, layout_shape[1], constants, (Step::KeyRow::Part*)keys,
        (Step::ValueRow::Part*)values, (unsigned*)tickets, out, scratch, scratch + size_t(gridDim.z) * Step::HEADS * gridDim.y * DIMS
    );
    if (threadIdx.x == 0 && head == 0 && split == 0 && row == 0) done[0] = 0;
