    recurrence::Mamba2<HEADS, HEAD_DIM, GROUPS, STATE, HISTORY>::run(
        mixed, steps, decay, skip, layout, (float*)states, out
    );
    if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0) done[0] = 0;
