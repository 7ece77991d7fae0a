    affine::few_rows<
        BITS, GROUP, COLUMNS, OUTPUTS, TILES, STRIPS, WARPS, NORMED, BIASED, EPILOGUE, ACTIVATION, INPUT_LAYOUT,
        OUTPUT_LAYOUT>(x, x_shape[0], (const unsigned*)packed, scales, biases, constants, residual, out);
