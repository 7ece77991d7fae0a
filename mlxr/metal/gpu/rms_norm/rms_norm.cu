    // In the order in which affine_matmul/few_rows norms its one row, so that a row is the same alone and in company.
    constexpr unsigned WARPS = 8, THREADS = 32 * WARPS, EACH = (WIDTH / 8 + THREADS - 1) / THREADS;
    __shared__ float parts[WARPS];
    const unsigned thread_index = threadIdx.x;
    const float4* row = (const float4*)(x + size_t(blockIdx.x) * WIDTH);
    const float4* weight = (const float4*)(constants + 4);
    float values[EACH][8], sum = 0;
#pragma unroll
    for (unsigned i = 0; i < EACH; ++i) {
        const unsigned at = i * THREADS + thread_index;
        const bool own = at < WIDTH / 8;
        *(float4*)values[i] = own ? row[2 * at] : make_float4(0, 0, 0, 0);
        *(float4*)(values[i] + 4) = own ? row[2 * at + 1] : make_float4(0, 0, 0, 0);
#pragma unroll
        for (unsigned j = 0; j < 8; ++j) sum += values[i][j] * values[i][j];
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
    if (thread_index % 32 == 0) parts[thread_index / 32] = sum;
    __syncthreads();
    sum = 0;
#pragma unroll
    for (unsigned warp = 0; warp < WARPS; ++warp) sum += parts[warp];
    const float inverse = rsqrtf(sum / WIDTH + constants[0]);
#pragma unroll
    for (unsigned i = 0; i < EACH; ++i) {
        const unsigned at = i * THREADS + thread_index;
        if (at >= WIDTH / 8) break;
        __align__(16) __half2 eight[4];
        float by[8];
        *(float4*)by = weight[2 * at];
        *(float4*)(by + 4) = weight[2 * at + 1];
#pragma unroll
        for (unsigned j = 0; j < 4; ++j) {
            const unsigned a = LAYOUT == affine::BY_RUNS_ORDERED ? j : 2 * j;
            const unsigned b = LAYOUT == affine::BY_RUNS_ORDERED ? j + 4 : 2 * j + 1;
            eight[j] = __floats2half2_rn(values[i][a] * inverse * by[a], values[i][b] * inverse * by[b]);
        }
        ((uint4*)out)[affine::place_of_eight<LAYOUT, WIDTH>(blockIdx.x, at, gridDim.x)] = *(uint4*)eight;
    }
