    constexpr unsigned WARPS = 8, THREADS = 32 * WARPS, EACH = (WIDTH + THREADS - 1) / THREADS;
    __shared__ float parts[WARPS];
    const unsigned row = blockIdx.x, thread_index = threadIdx.x;
    const size_t begin = size_t(row) * WIDTH;
    float values[EACH], squares = 0;
#pragma unroll
    for (unsigned i = 0; i < EACH; ++i) {
        const unsigned at = i * THREADS + thread_index;
        values[i] = at < WIDTH ? x[begin + at] : 0.0f;
        squares += values[i] * values[i];
    }
    for (int step = 16; step > 0; step /= 2) squares += __shfl_xor_sync(~0u, squares, step);
    if (thread_index % 32 == 0) parts[thread_index / 32] = squares;
    __syncthreads();
    float total = 0;
    for (unsigned i = 0; i < WARPS; ++i) total += parts[i];
    const float factor = rsqrtf(total / WIDTH + constants[0]);
#pragma unroll
    for (unsigned i = 0; i < EACH; ++i) {
        const unsigned at = i * THREADS + thread_index;
        if (at < WIDTH) out[begin + at] = __float2half(values[i] * factor * constants[4 + at]);
    }
