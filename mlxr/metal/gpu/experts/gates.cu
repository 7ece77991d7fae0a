    experts::Product<
        BITS, GROUP, COLUMNS, OUTPUTS, EXPERTS, TILES, STRIPS, WARPS, USED, BIASED, experts::GATED, ACTIVATION>{
        x, chosen, int(gridDim.y), (const unsigned*)packed, scales, biases, constants
    }.gate(out);
