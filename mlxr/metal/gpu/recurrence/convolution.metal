    uint channel = thread_position_in_grid.x, sequence = threadgroup_position_in_grid.y;
    if (channel >= CHANNELS) return;
    const device float* before = (const device float*)states + size_t(sequence) * STATE_SIZE;
    float seen[TAPS];
    for (uint tap = 0; tap < TAPS - 1; ++tap) seen[tap] = before[tap * CHANNELS + channel];
    for (uint row = starts[sequence]; row < uint(starts[sequence + 1]); ++row) {
        seen[TAPS - 1] = x[size_t(row) * CHANNELS + channel];
        float sum = BIASED ? bias[channel] : 0.0f;
        for (uint tap = 0; tap < TAPS; ++tap) sum += seen[tap] * taps[channel * TAPS + tap];
        out[size_t(row) * CHANNELS + channel] = sum / (1.0f + metal::precise::exp(-sum));
        for (uint tap = 0; tap < TAPS - 1; ++tap) seen[tap] = seen[tap + 1];
    }
    for (uint tap = 0; tap < TAPS - 1; ++tap)
        histories[(size_t(sequence) * (TAPS - 1) + tap) * CHANNELS + channel] = seen[tap];
