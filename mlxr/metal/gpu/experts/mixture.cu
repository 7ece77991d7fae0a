    experts::Product<BITS, GROUP, COLUMNS, OUTPUTS, EXPERTS, TILES, STRIPS, WARPS, USED, BIASED, experts::MIXED, 0>{
        x, chosen, int(gridDim.y), (const unsigned*)packed, scales, biases, constants
    }.mix(shares, residual, (unsigned*)tickets, out, parts);
    if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0) done[0] = 0;
