// Products of few rows with one matrix; __init__.py says what is computed.

namespace affine {

// One row of x, normed, to 16 bits in shared memory, eights in the order of order_eight.
template <int BITS, int WARPS, int COLUMNS>
__device__ inline void norm_row(const float* x, const float* weight, float eps, uint4* normed) {
    constexpr int THREADS = WARPS * 32, EACH = (COLUMNS / 8 + THREADS - 1) / THREADS;
    __shared__ float parts[WARPS];
    float values[EACH][8];
    float sum = 0;
#pragma unroll
    for (int i = 0; i < EACH; ++i) {
        const int at = i * THREADS + threadIdx.x;
        const bool own = at < COLUMNS / 8;
        *(float4*)values[i] = own ? ((const float4*)x)[2 * at] : make_float4(0, 0, 0, 0);
        *(float4*)(values[i] + 4) = own ? ((const float4*)x)[2 * at + 1] : make_float4(0, 0, 0, 0);
#pragma unroll
        for (int j = 0; j < 8; ++j) sum += values[i][j] * values[i][j];
    }
#pragma unroll
    for (int step = 16; step > 0; step /= 2) sum += __shfl_xor_sync(~0u, sum, step);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = sum;
    __syncthreads();
    sum = 0;
#pragma unroll
    for (int warp = 0; warp < WARPS; ++warp) sum += parts[warp];
    const float inverse = rsqrtf(sum / COLUMNS + eps);
#pragma unroll
    for (int i = 0; i < EACH; ++i) {
        const int at = i * THREADS + threadIdx.x;
        if (at >= COLUMNS / 8) break;
        __align__(16) __half2 eight[4];
        float by[8];
        *(float4*)by = ((const float4*)weight)[2 * at];
        *(float4*)(by + 4) = ((const float4*)weight)[2 * at + 1];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const int a = BITS == 4 ? j : 2 * j, b = BITS == 4 ? j + 4 : 2 * j + 1;
            eight[j] = __floats2half2_rn(values[i][a] * inverse * by[a], values[i][b] * inverse * by[b]);
        }
        normed[at] = *(uint4*)eight;
    }
    __syncthreads();
}

// NORMED: x is one row of float32, to be normed first. constants: what the product is multiplied by, what is added to the
// mean square of a row, two that are not used; then the norm's weights, and the bias.
template <
    int BITS, int GROUP, int COLUMNS, int TILES, int STRIPS, int WARPS, bool NORMED, bool BIASED, int EPILOGUE,
    int ACTIVATION, typename X, typename Out>
__device__ inline void few_rows(
    const X* x, int rows, const unsigned* packed, const __half* scales, const __half* biases, const float* constants,
    const float* residual, Out* out
) {
    const float* norm = constants + 4;
    const float* bias = norm + (NORMED ? COLUMNS : 0);
    __shared__ float sums[WARPS][STRIPS][TILES][128];
    const int warp = threadIdx.x / 32, quad = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
    constexpr int OWN = EPILOGUE == GATED ? STRIPS / 2 : STRIPS;  // strips of outputs
    const int outputs = gridDim.x * STRIPS * STRIP, half = outputs / 2;
    using Held = Matrix<BITS, STRIPS, GROUP, COLUMNS>;
    Held matrix = {(const uint4*)packed, scales, biases, {}};
#pragma unroll
    for (int strip = 0; strip < STRIPS; ++strip)
        matrix.first[strip] = (blockIdx.x * OWN + strip % OWN) * STRIP + quad + strip / OWN * half;
    typename Held::Part part;
    if (warp < Held::RUNS) matrix.load(part, warp, member, 0);  // on its way while x is normed

    const uint4* input = (const uint4*)x;
    if constexpr (NORMED) {
        __shared__ uint4 normed[COLUMNS / 8];
        norm_row<BITS, WARPS, COLUMNS>((const float*)x, norm, constants[1], normed);
        input = normed;
    }
    const auto row_of = [&](int tile) { return tile * 8 + quad < rows ? tile * 8 + quad : -1; };
    accumulate<NORMED>(matrix, part, input, TILES, row_of, sums);
    const float gain = constants[0];
    for (int at = threadIdx.x; at < OWN * TILES * 128; at += WARPS * 32) {
        const int strip = at / (TILES * 128), tile = at / 128 % TILES, within = at % 128;
        const int row = tile * 8 + row_within(within);
        const int output = (blockIdx.x * OWN + strip) * STRIP + output_within(within);
        if (row >= rows) continue;
        float sum = total<Held>(sums, strip, tile, within);
        if constexpr (BIASED) sum += bias[output];
        if constexpr (EPILOGUE == GATED) {
            float up = total<Held>(sums, strip + OWN, tile, within);
            if constexpr (BIASED) up += bias[half + output];
            out[size_t(row) * half + output] = __float2half(gated(ACTIVATION, sum, up) * gain);
        } else if constexpr (EPILOGUE == RESIDUAL) {
            const size_t to = size_t(row) * outputs + output;
            out[to] = residual[to] + sum * gain;
        } else {
            out[size_t(row) * outputs + output] = Out(sum * gain);
        }
    }
}

}  // namespace affine
