// Products of few rows with one matrix; __init__.py says what is computed.

namespace affine {

// The norm of rows of COLUMNS by a block of WARPS, each thread for its eights of a row.
template <int WARPS, int COLUMNS>
struct RowNorm {
    static constexpr int THREADS = WARPS * 32, EACH = (COLUMNS / 8 + THREADS - 1) / THREADS;

    float by[EACH][8];

    __device__ inline void load(const float* weight) {
#pragma unroll
        for (int i = 0; i < EACH; ++i) take(weight, i, by[i]);
    }

    // This thread's i-th eight; zeros beyond the end.
    __device__ static inline void take(const float* row, int i, float* eight) {
        const int at = i * THREADS + threadIdx.x;
        const bool own = at < COLUMNS / 8;
        *(float4*)eight = own ? ((const float4*)row)[2 * at] : make_float4(0, 0, 0, 0);
        *(float4*)(eight + 4) = own ? ((const float4*)row)[2 * at + 1] : make_float4(0, 0, 0, 0);
    }

    // One row of x to 16 bits, as the row number `row` of so many.
    template <int LAYOUT>
    __device__ inline void run(const float* x, float eps, uint4* normed, int row = 0, int rows = 1) const {
        __shared__ float parts[WARPS];
        float values[EACH][8];
        float sum = 0;
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            take(x, i, values[i]);
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
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const int a = LAYOUT == BY_RUNS_ORDERED ? j : 2 * j, b = LAYOUT == BY_RUNS_ORDERED ? j + 4 : 2 * j + 1;
                eight[j] = __floats2half2_rn(values[i][a] * inverse * by[i][a], values[i][b] * inverse * by[i][b]);
            }
            normed[place_of_eight<LAYOUT, COLUMNS>(row, at, rows)] = *(uint4*)eight;
        }
        __syncthreads();
    }
};

// The matrix with a lane's rows of a block's strips. Of a gated product half the strips are gates, the others what they
// gate.
template <int BITS, int GROUP, int COLUMNS, int STRIPS, int EPILOGUE>
__device__ inline Matrix<BITS, STRIPS, GROUP, COLUMNS> strips_of(
    const void* packed, const __half* scales, const __half* biases, int block, int outputs
) {
    constexpr int OWN = EPILOGUE == GATED ? STRIPS / 2 : STRIPS;  // strips of outputs
    const int quad = threadIdx.x % 32 / 4;
    Matrix<BITS, STRIPS, GROUP, COLUMNS> matrix = {(const uint4*)packed, scales, biases, {}};
#pragma unroll
    for (int strip = 0; strip < STRIPS; ++strip)
        matrix.first[strip] = (block * OWN + strip % OWN) * STRIP + quad + strip / OWN * (outputs / 2);
    return matrix;
}

// Outputs from the sums of a block's strips, with what stands behind them. LAYOUT: of gated ones, for the product that
// takes them.
template <
    typename Held, int OUTPUTS, bool BIASED, int EPILOGUE, int ACTIVATION, int LAYOUT, int WARPS, int STRIPS, int TILES,
    typename Out>
__device__ inline void finish(
    const float (&sums)[WARPS][STRIPS][TILES][128], int block, int rows, const float* bias, float gain,
    const float* residual, Out* out
) {
    constexpr int OWN = EPILOGUE == GATED ? STRIPS / 2 : STRIPS, HALF = OUTPUTS / 2;
    for (int at = threadIdx.x; at < OWN * TILES * 128; at += WARPS * 32) {
        const int strip = at / (TILES * 128), tile = at / 128 % TILES, within = at % 128;
        const int row = tile * 8 + row_within(within);
        const int output = (block * OWN + strip) * STRIP + output_within(within);
        if (row >= rows) continue;
        float sum = total<Held>(sums, strip, tile, within);
        if constexpr (BIASED) sum += bias[output];
        if constexpr (EPILOGUE == GATED) {
            float up = total<Held>(sums, strip + OWN, tile, within);
            if constexpr (BIASED) up += bias[HALF + output];
            out[place_of<LAYOUT, HALF>(row, output, rows)] = __float2half(gated(ACTIVATION, sum, up) * gain);
        } else if constexpr (EPILOGUE == RESIDUAL) {
            const size_t to = size_t(row) * OUTPUTS + output;
            out[to] = residual[to] + sum * gain;
        } else {
            out[size_t(row) * OUTPUTS + output] = Out(sum * gain);
        }
    }
}

// NORMED: x is one row of float32, to be normed first. constants: what the product is multiplied by, what is added to the
// mean square of a row, two that are not used; then the norm's weights, and the bias. INPUT: how rows of x lie that are
// not normed, OUTPUT: how gated ones are to.
template <
    int BITS, int GROUP, int COLUMNS, int OUTPUTS, int TILES, int STRIPS, int WARPS, bool NORMED, bool BIASED,
    int EPILOGUE, int ACTIVATION, int INPUT, int OUTPUT, typename X, typename Out>
__device__ inline void few_rows(
    const X* x, int rows, const unsigned* packed, const __half* scales, const __half* biases, const float* constants,
    const float* residual, Out* out
) {
    const float* norm = constants + 4;
    const float* bias = norm + (NORMED ? COLUMNS : 0);
    __shared__ float sums[WARPS][STRIPS][TILES][128];
    const int warp = threadIdx.x / 32, quad = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
    constexpr int LAYOUT = NORMED ? best_layout(COLUMNS, BITS == 4) : INPUT;
    using Held = Matrix<BITS, STRIPS, GROUP, COLUMNS>;
    const Held matrix = strips_of<BITS, GROUP, COLUMNS, STRIPS, EPILOGUE>(packed, scales, biases, blockIdx.x, OUTPUTS);
    typename Held::Part part;
    if (warp < Held::RUNS) matrix.load(part, warp, member, 0);  // on its way while x is normed

    const uint4* input = (const uint4*)x;
    if constexpr (NORMED) {
        __shared__ uint4 normed[COLUMNS / 8];
        RowNorm<WARPS, COLUMNS> of_row;
        of_row.load(norm);
        of_row.template run<LAYOUT>((const float*)x, constants[1], normed);
        input = normed;
    }
    const auto row_of = [&](int tile) { return tile * 8 + quad < rows ? tile * 8 + quad : -1; };
    accumulate<LAYOUT, NORMED>(matrix, part, input, rows, TILES, row_of, sums);
    finish<Held, OUTPUTS, BIASED, EPILOGUE, ACTIVATION, OUTPUT>(
        sums, blockIdx.x, rows, bias, constants[0], residual, out
    );
}

}  // namespace affine
