    recurrence::Delta<KEY_HEADS, VALUE_HEADS, KEY_DIM, VALUE_DIM, HISTORY, WIDTH, TILED>::run(
        mixed, projected, constants, layout, (float*)states, out
    );
    if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0) done[0] = 0;
