    recurrence::convolve<CHANNELS, TAPS, WIDTH, BIASED>(
        x + AT, taps, bias, layout, (float*)states, states_shape[1], out
    );
