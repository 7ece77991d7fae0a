    // A simdgroup has OWN rows of the matrix and one of SHARES shares of the COLUMNS; a lane has every 64th run of them.
    constexpr uint SIMDGROUPS = 8, SHARES = 2, QUADS = SIMDGROUPS / SHARES;
    constexpr bool GATED = EPILOGUE == 2;
    constexpr uint RUN = BITS == 16 ? 8 : 32, WORDS = RUN * BITS / 32, PIECES = RUN / 4;
    constexpr uint LOADS = BITS == 6 || BITS == 8 ? 2 : 1;  // of a run, so that its words have registers
    constexpr uint PER = GATED ? OWN / 2 : OWN, UNITS = QUADS * PER;
    threadgroup float sums[SHARES * QUADS * OWN * ROWS];
    threadgroup float squares[SHARES * ROWS];
    uint lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    uint share = simdgroup / QUADS, quad = simdgroup % QUADS;
    uint rows = x_shape[0], outputs = packed_shape[packed_ndim - 2];
    uint units = GATED ? outputs / 2 : outputs, first = (threadgroup_position_in_grid.x * QUADS + quad) * PER;
    uint runs_each = COLUMNS / RUN;  // of a part of the COLUMNS
    if (packed_ndim == 3) runs_each /= packed_shape[0];
    uint matrix_rows[OWN];
    for (uint r = 0; r < OWN; ++r) {
        uint unit = min(first + r % PER, units - 1);
        matrix_rows[r] = r < PER ? unit : units + unit;
    }
    float found[OWN][ROWS], square[ROWS];
    for (uint m = 0; m < ROWS; ++m) {
        square[m] = 0;
        for (uint r = 0; r < OWN; ++r) found[r][m] = 0;
    }
    for (uint run = 32 * share + lane; run < COLUMNS / RUN; run += 32 * SHARES) {
        uint part = run / runs_each, within = run % runs_each;
        uint at[OWN];
        float scale[OWN], offset[OWN];
        for (uint r = 0; r < OWN; ++r) {
            at[r] = (part * outputs + matrix_rows[r]) * runs_each + within;
            if (BITS < 16) {
                scale[r] = float(scales[at[r] / (GROUP / 32)]), offset[r] = float(biases[at[r] / (GROUP / 32)]);
            }
        }
        for (uint load = 0; load < LOADS; ++load) {
            uint words[OWN][WORDS / LOADS];
            for (uint r = 0; r < OWN; ++r)
                load_words<WORDS / LOADS>((const device uint*)packed + size_t(at[r]) * WORDS + load * (WORDS / LOADS), words[r]);
            for (uint piece = 0; piece < PIECES / LOADS; ++piece) {
                uint column = run * RUN + (load * (PIECES / LOADS) + piece) * 4;
                float4 four[ROWS];
                for (uint m = 0; m < ROWS; ++m) {
                    four[m] = float4(*(const device vec<X, 4>*)(x + size_t(min(m, rows - 1)) * COLUMNS + column));
                }
                if (NORMED) {
                    float4 by = float4(constants[4 + column], constants[5 + column], constants[6 + column], constants[7 + column]);
                    for (uint m = 0; m < ROWS; ++m) {
                        if (quad == 0) square[m] = added(square[m], four[m], four[m]);
                        four[m] = four[m] * by;
                    }
                }
                for (uint r = 0; r < OWN; ++r) {
                    float4 weights = four_weights<BITS>(words[r], piece, scale[r], offset[r]);
                    for (uint m = 0; m < ROWS; ++m) found[r][m] = added(found[r][m], four[m], weights);
                }
            }
        }
    }
    for (uint m = 0; m < ROWS; ++m) {
        for (uint r = 0; r < OWN; ++r) {
            float sum = simd_sum(found[r][m]);
            if (lane == 0) sums[((share * QUADS + quad) * OWN + r) * ROWS + m] = sum;
        }
        if (NORMED && quad == 0) {
            float sum = simd_sum(square[m]);
            if (lane == 0) squares[share * ROWS + m] = sum;
        }
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint i = thread_index_in_threadgroup; i < UNITS * ROWS; i += 32 * SIMDGROUPS) {
        uint m = i / UNITS, unit = threadgroup_position_in_grid.x * UNITS + i % UNITS;
        if (m >= rows || unit >= units) continue;
        uint at = (i % UNITS / PER * OWN + i % PER) * ROWS + m;
        float sum = sums[at] + sums[QUADS * OWN * ROWS + at], up = 0;
        if (GATED) up = sums[at + PER * ROWS] + sums[QUADS * OWN * ROWS + at + PER * ROWS];
        if (NORMED) {
            float factor = metal::precise::rsqrt((squares[m] + squares[ROWS + m]) / COLUMNS + constants[1]);
            sum *= factor, up *= factor;
        }
        if (BIASED) {
            uint bias = NORMED ? 4 + COLUMNS : 4;
            sum += constants[bias + unit];
            if (GATED) up += constants[bias + units + unit];
        }
        size_t to = size_t(m) * units + unit;
        if (GATED) sum = gated(ACTIVATION, sum, up);
        sum *= constants[0];
        if (EPILOGUE == 1) sum += residual[to];
        out[to] = OUT(sum);
    }
