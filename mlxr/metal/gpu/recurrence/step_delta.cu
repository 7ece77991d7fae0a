    recurrence::Delta<KEY_HEADS, VALUE_HEADS, KEY_DIM, VALUE_DIM, HISTORY, GATES_WIDTH, RATES_WIDTH, TILED>::run(
        mixed, gates + GATES_AT, rates + RATES_AT, constants, layout, (float*)states, out
    );
    if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0) done[0] = 0;
