    size_t at = thread_position_in_grid.x;
    if (at >= size_t(ROWS) * WIDTH) return;
    size_t row = at / WIDTH, column = at % WIDTH;
    float gate = x[row * 2 * WIDTH + column], up = x[row * 2 * WIDTH + WIDTH + column];
    float active;
    if (ACTIVATION == 0) {
        active = gate / (1.0f + metal::precise::exp(-gate));
    } else if (ACTIVATION == 1) {
        // 1 - erf for |z| by Abramowitz and Stegun 7.1.26: Metal has no erf. The error is below 1.5e-7.
        float z = gate * 0.70710678f, size = metal::fabs(z), t = 1.0f / (1.0f + 0.3275911f * size);
        float beyond = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f) *
                       t * metal::precise::exp(-size * size);
        active = 0.5f * gate * (z < 0.0f ? beyond : 2.0f - beyond);
    } else if (ACTIVATION == 2) {
        active = 0.5f * gate * (1.0f + metal::precise::tanh(0.79788456f * (gate + 0.044715f * gate * gate * gate)));
    } else if (ACTIVATION == 4) {
        gate = metal::min(gate, 7.0f);
        up = metal::clamp(up, -7.0f, 7.0f) + 1.0f;
        active = gate / (1.0f + metal::precise::exp(-1.702f * gate));
    } else {
        float positive = gate > 0.0f ? gate : 0.0f;
        active = positive * positive;
    }
    out[at] = T(active * up);
