    namespace dense = decoder_layer;
    using Step = attention_step::Step<
        DIMS, KV_HEADS, GROUP, PAIRS, STYLE, PAGE_SIZE, WINDOW, CHUNKED, NORMED, ROPE_FIRST, NORM_VALUES, OWN_KEYS, SOFTCAP,
        SINKS>;
    using Run = dense::Layers<
        Step, dense::MatrixShape<FIRST_BITS, FIRST_GROUP, FIRST_OUTPUTS, WIDTH, FIRST_BIASED>,
        dense::MatrixShape<SECOND_BITS, SECOND_GROUP, SECOND_OUTPUTS, WIDTH, SECOND_BIASED>,
        dense::MatrixShape<THIRD_BITS, THIRD_GROUP, THIRD_OUTPUTS, WIDTH, THIRD_BIASED>,
        dense::MatrixShape<OUTPUT_BITS, OUTPUT_GROUP, WIDTH, Step::HEADS * DIMS, OUTPUT_BIASED>,
        dense::MatrixShape<GATES_BITS, GATES_GROUP, 2 * HIDDEN, WIDTH, GATES_BIASED>,
        dense::MatrixShape<DOWN_BITS, DOWN_GROUP, HIDDEN ? WIDTH : 0, HIDDEN, DOWN_BIASED>, ROWS, PLAIN_STRIPS, GATED_STRIPS, ACTIVATION,
        NORMED, SINKS ? Step::HEADS : 0, EXPERTS>;
    static_assert(Run::WHOLE || LAYERS == 1);
    static_assert(Step::THREADS == 32 * dense::WARPS && Run::EACH == CONSTANTS_EACH);
    __shared__ dense::Pointer table[LAYERS * Run::POINTERS];
    __shared__ uint4 space[Run::SPACE];
    __shared__ Run run;
    // By one thread of each warp.
#define PUT(at, pointer) \
    if (threadIdx.x == at % dense::WARPS * 32) table[at] = pointer;
    LAYER_ARRAYS(PUT)
#undef PUT
    const int rows = layout_shape[0], width = layout_shape[1];
    run.prepare((unsigned*)state, (float*)scratch, space, layout, rows, width, (unsigned*)tickets);
#pragma unroll 1
    for (int layer = 0; layer < LAYERS; ++layer) {
        const dense::Pointer* own = table + layer * Run::POINTERS;
        const float* of_layer = constants + layer * CONSTANTS_EACH;
        const float* before = layer ? out : x;
        run.project(own, of_layer, before, layer > 0);
        run.attend<
            dense::Part<QUERIES_BEFORE, QUERIES_EACH, QUERIES_AT>, dense::Part<KEYS_BEFORE, KEYS_EACH, KEYS_AT>,
            dense::Part<VALUES_BEFORE, VALUES_EACH, VALUES_AT>>(own, of_layer);
        run.add_attended(own, of_layer, before, out);
        run.feed_forward(own, of_layer, out, layer + 1 == LAYERS);
    }
    run.route<USED, SIGMOID, NORMALIZED, ROUTER_BIASED, CHOICE_BIASED>(out, ROUTED);
    if (threadIdx.x == 0 && blockIdx.x == 0) done[0] = 0;
