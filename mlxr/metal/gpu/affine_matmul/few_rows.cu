    affine::few_rows<BITS, GROUP, COLUMNS, TILES, STRIPS, WARPS, NORMED, BIASED, EPILOGUE, ACTIVATION>(
        x, x_shape[0], (const unsigned*)packed, scales, biases, constants, residual, out
    );
