    using Step = attention_step::Step<
        DIMS, KV_HEADS, GROUP, PAIRS, STYLE, PAGE_SIZE, WINDOW, CHUNKED, NORMED, ROPE_FIRST, NORM_VALUES, OWN_KEYS, SOFTCAP,
        SINKS>;
    static_assert(Step::THREADS == THREADS && attention_step::SPLIT == SPLIT_KEYS);
    const unsigned row = blockIdx.z;
    Step::run(
        queries + row * queries_strides[0] + QUERIES_AT, new_keys + row * new_keys_strides[0] + KEYS_AT,
        new_values + row * new_values_strides[0] + VALUES_AT, layout, layout_shape[1], constants, (half*)keys, (half*)values,
        (unsigned*)tickets, out, scratch
    );
    if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0 && row == 0) done[0] = 0;
