    uint row = threadgroup_position_in_grid.y, head = threadgroup_position_in_grid.x, lane = thread_index_in_simdgroup;
    size_t first = (size_t(row) * HEADS + head) * SPLITS;
    float top = sinks[head], total = 0;
    for (uint split = 0; split < SPLITS; ++split) top = max(top, states[2 * (first + split)]);
    for (uint split = 0; split < SPLITS; ++split) {
        float own = states[2 * (first + split)];
        if (own != -INFINITY) total += states[2 * (first + split) + 1] * metal::precise::exp(own - top);
    }
    if (sinks[head] != -INFINITY) total += metal::precise::exp(sinks[head] - top);
    for (uint i = lane; i < VALUE_DIMS; i += 32) {
        float sum = 0;
        for (uint split = 0; split < SPLITS; ++split) {
            float own = states[2 * (first + split)];
            if (own != -INFINITY) sum += partial[(first + split) * VALUE_DIMS + i] * metal::precise::exp(own - top);
        }
        out[(size_t(row) * HEADS + head) * VALUE_DIMS + i] = sum / total;
    }
