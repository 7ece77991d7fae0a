    constexpr uint SIMDGROUPS = 8, THREADS = 32 * SIMDGROUPS;
    threadgroup float parts[SIMDGROUPS];
    threadgroup float counts[SIMDGROUPS];
    threadgroup int best[SIMDGROUPS];
    uint row = threadgroup_position_in_grid.x, self = thread_index_in_threadgroup;
    uint lane = thread_index_in_simdgroup, simdgroup = simdgroup_index_in_threadgroup;
    const device float* mine = logits + size_t(row) * VOCABULARY;
    float temperature = options[4 * row], top_p = options[4 * row + 1];
    float min_p = options[4 * row + 2], uniform = options[4 * row + 3];
    // The best logit, and the first token that has it. A NaN anywhere spoils the row.
    float top = -INFINITY;
    bool spoiled = false;
    for (uint i = self; i < VOCABULARY; i += THREADS) {
        spoiled = spoiled || metal::isnan(mine[i]);
        top = max(top, mine[i]);
    }
    top = simd_max(top);
    spoiled = simd_any(spoiled);
    if (lane == 0) parts[simdgroup] = spoiled ? INFINITY : top;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    top = parts[0];
    for (uint s = 1; s < SIMDGROUPS; ++s) top = max(top, parts[s]);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (!metal::isfinite(top)) {
        if (self == 0) tokens[row] = -1;
        return;
    }
    // A token's weight is between 0 and 1, so the bits of its float rise with it. Each round fixes one of the 30 bits
    // of `edge`: the highest weight such that what lies at or above it is enough. The rounds are those of top_k, of top_p
    // and of the draw; `kept` and `kept_equal` say what the filters before have left: everything above a weight, and the
    // first so many of those that are equal to it.
    uint kept = 0;
    int kept_equal = VOCABULARY;
    float total = 0;
    uint chosen = 0;
    if (min_p > 0.0f && temperature > 0.0f) min_p = min(min_p, 1.0f);
    for (uint filter = temperature > 0.0f ? 0 : 2; filter < 3; ++filter) {
        bool counted = filter == 0;
        if (counted && (top_k[row] <= 0 || top_k[row] >= VOCABULARY)) continue;
        if (filter == 1 && top_p >= 1.0f) continue;
        uint edge = 0;
        float wanted = counted ? float(top_k[row]) : 0.0f;
        // The first round of all sums what is left; the last one sums what lies above the edge.
        for (int round = 0; round < 32; ++round) {
            uint tried = round == 0 ? 0u : round == 31 ? edge + 1 : edge | 1u << (30 - round);
            float mass = 0, count = 0;
            int equal_before = 0;
            for (uint begin = 0; begin < VOCABULARY; begin += THREADS) {
                uint i = begin + self;
                float weight = 0;
                if (i < VOCABULARY) {
                    float logit = mine[i] - top;
                    weight = temperature > 0.0f ? metal::precise::exp(logit / temperature) : logit == 0.0f ? 1.0f : 0.0f;
                }
                uint bits = as_type<uint>(weight);
                // Tokens at the edge of the filters before are counted in the order of their ids.
                bool is_equal = i < VOCABULARY && bits == kept && kept_equal < VOCABULARY;
                bool in = i < VOCABULARY && bits >= kept;
                if (kept_equal < VOCABULARY) {
                    int before = simd_prefix_exclusive_sum(int(is_equal)), all = simd_sum(int(is_equal));
                    if (lane == 0) best[simdgroup] = all;
                    threadgroup_barrier(mem_flags::mem_threadgroup);
                    int sum = 0;
                    for (uint s = 0; s < SIMDGROUPS; ++s) {
                        if (s < simdgroup) before += best[s];
                        sum += best[s];
                    }
                    if (is_equal && equal_before + before >= kept_equal) in = false;
                    equal_before += sum;
                    threadgroup_barrier(mem_flags::mem_threadgroup);
                }
                if (filter == 2 && weight < min_p) in = false;
                if (in && bits >= tried) mass += weight, count += 1.0f;
            }
            mass = simd_sum(mass), count = simd_sum(count);
            if (lane == 0) parts[simdgroup] = mass, counts[simdgroup] = count;
            threadgroup_barrier(mem_flags::mem_threadgroup);
            mass = 0, count = 0;
            for (uint s = 0; s < SIMDGROUPS; ++s) mass += parts[s], count += counts[s];
            threadgroup_barrier(mem_flags::mem_threadgroup);
            if (round == 0) {
                total = mass;
                if (filter == 1) wanted = top_p * total;
                if (filter == 2) {
                    wanted = temperature > 0.0f ? uniform * total : 0.0f;
                    // Rounded up, the product would let a sum go by that exceeds the exact one.
                    if (fma(uniform, total, -wanted) < 0.0f) wanted = as_type<float>(as_type<uint>(wanted) - 1);
                }
            } else if (round < 31) {
                bool enough = counted ? count >= wanted : filter == 1 ? mass >= wanted : mass > wanted;
                if (enough) edge = tried;
            } else {
                // Of those equal to the edge, as many as still take what is above it to what is wanted.
                float weight = as_type<float>(edge), short_of = counted ? wanted - count : (wanted - mass) / weight;
                int equal = filter == 2 ? int(metal::floor(max(short_of, 0.0f))) : -int(metal::floor(-max(short_of, 0.0f)));
                if (filter < 2) {
                    int most = edge == kept ? kept_equal : VOCABULARY;
                    kept = edge, kept_equal = min(max(equal, 1), most);
                } else {
                    chosen = edge, kept_equal = edge == kept ? min(equal, kept_equal - 1) : equal;
                }
            }
        }
    }
    // The token: number `kept_equal` of those whose weight is the chosen one, or the last where rounding says more.
    int before = 0, last = -1;
    for (uint begin = 0; begin < VOCABULARY; begin += THREADS) {
        uint i = begin + self;
        bool is_equal = false;
        if (i < VOCABULARY) {
            float logit = mine[i] - top;
            float weight = temperature > 0.0f ? metal::precise::exp(logit / temperature) : logit == 0.0f ? 1.0f : 0.0f;
            is_equal = as_type<uint>(weight) == chosen;
        }
        int own = simd_prefix_exclusive_sum(int(is_equal)), all = simd_sum(int(is_equal));
        if (lane == 0) best[simdgroup] = all;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        int sum = 0;
        for (uint s = 0; s < SIMDGROUPS; ++s) {
            if (s < simdgroup) own += best[s];
            sum += best[s];
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (is_equal && before + own <= kept_equal) last = int(i);
        before += sum;
    }
    last = simd_max(last);
    if (lane == 0) best[simdgroup] = last;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (self == 0) {
        int token = best[0];
        for (uint s = 1; s < SIMDGROUPS; ++s) token = max(token, best[s]);
        tokens[row] = token;
    }
