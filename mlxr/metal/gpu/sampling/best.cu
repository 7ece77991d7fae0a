    constexpr int WARPS = THREADS / 32;
    __shared__ float values[WARPS];
    __shared__ int tokens[WARPS];
    const float* row = logits + size_t(blockIdx.x) * VOCABULARY;
    const int thread_index = threadIdx.x, lane = thread_index % 32, warp = thread_index / 32;
    constexpr float LARGEST = 3.402823466e38f;
    // A number that is none counts as the best of all, so that the row ends with it.
    float best = -LARGEST;
    int token = VOCABULARY;
#pragma unroll 8
    for (int at = thread_index; at < VOCABULARY; at += THREADS) {
        const float value = row[at];
        if (best == best && !(value <= best)) best = value, token = at;
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) {
        const float other = __shfl_xor_sync(~0u, best, step);
        const int theirs = __shfl_xor_sync(~0u, token, step);
        const bool better = other != other || other > best || (other == best && theirs < token);
        if (best == best && better) best = other, token = theirs;
    }
    if (lane == 0) values[warp] = best, tokens[warp] = token;
    __syncthreads();
    if (thread_index == 0) {
        for (int w = 1; w < WARPS; ++w) {
            const bool better = values[w] != values[w] || values[w] > best || (values[w] == best && tokens[w] < token);
            if (best == best && better) best = values[w], token = tokens[w];
        }
        out[blockIdx.x] = token < VOCABULARY && best <= LARGEST ? token : -1;
    }
