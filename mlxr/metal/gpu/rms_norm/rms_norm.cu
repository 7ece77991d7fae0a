    constexpr unsigned WARPS = 8, THREADS = 32 * WARPS;
    __shared__ float parts[WARPS];
    unsigned row = blockIdx.x, thread_index = threadIdx.x;
    size_t begin = size_t(row) * WIDTH;
    float squares = 0;
    for (unsigned i = thread_index; i < WIDTH; i += THREADS) {
        float value = float(x[begin + i]) + float(residual[begin + i]);
        sum[begin + i] = value;
        squares += value * value;
    }
    for (int step = 16; step > 0; step /= 2) squares += __shfl_xor_sync(~0u, squares, step);
    if (thread_index % 32 == 0) parts[thread_index / 32] = squares;
    __syncthreads();
    float total = 0;
    for (unsigned i = 0; i < WARPS; ++i) total += parts[i];
    float factor = rsqrtf(total / WIDTH + eps[0]);
    for (unsigned i = thread_index; i < WIDTH; i += THREADS) out[begin + i] = T(sum[begin + i] * factor * weight[i]);
