// Which experts rows choose: the norm of each row, its product with the router's matrix, and the best scores with the
// weights that they have; __init__.py says what is computed.
//
// A block has EACH experts, for all rows; each of its warps has every WARPS-th run of 256 columns, in float32. The last
// block to finish chooses, a row by one warp. They are the first `blocks` of a grid.

namespace experts {

constexpr float LOWEST = -3.4e38f;

struct Router {
    static constexpr int EACH = 4, WARPS = 8, THREADS = WARPS * 32;
};

__device__ inline float whole(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}

__device__ inline float largest(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, step));
    return x;
}

// The USED experts of one row whose score and its choice_bias are highest, best first, and equal ones in their order.
// For a whole warp; lane i has expert i, i + 32, ...
template <int EXPERTS, int USED, bool SIGMOID, bool NORMALIZED>
__device__ inline void choose(const float* logits, const float* choice_bias, float scale, int* chosen, float* shares) {
    constexpr int OWN = (EXPERTS + 31) / 32;
    const int lane = threadIdx.x % 32;
    float scores[OWN], wanted[OWN];
    float highest = LOWEST;
#pragma unroll
    for (int i = 0; i < OWN; ++i) {
        scores[i] = 32 * i + lane < EXPERTS ? __ldcg(logits + 32 * i + lane) : LOWEST;
        highest = fmaxf(highest, scores[i]);
    }
    float sum = 0;
    if (!SIGMOID) highest = largest(highest);
#pragma unroll
    for (int i = 0; i < OWN; ++i) {
        scores[i] = SIGMOID ? 1 / (1 + expf(-scores[i])) : expf(scores[i] - highest);
        sum += scores[i];
    }
    const float factor = SIGMOID ? 1.0f : 1 / whole(sum);
#pragma unroll
    for (int i = 0; i < OWN; ++i) {
        scores[i] *= factor;
        wanted[i] = scores[i];
        if (choice_bias && 32 * i + lane < EXPERTS) wanted[i] += choice_bias[32 * i + lane];
    }
    unsigned taken = 0;
    int own = 0;
    float share = 0;
    for (int round = 0; round < USED; ++round) {
        float best = LOWEST;
        int expert = EXPERTS;  // there is none yet
#pragma unroll
        for (int i = 0; i < OWN; ++i) {
            if (32 * i + lane >= EXPERTS || taken >> i & 1) continue;
            if (expert == EXPERTS || wanted[i] > best) best = wanted[i], expert = 32 * i + lane;
        }
#pragma unroll
        for (int step = 16; step > 0; step /= 2) {
            const float other = __shfl_xor_sync(~0u, best, step);
            const int from = __shfl_xor_sync(~0u, expert, step);
            if (from < EXPERTS && (expert == EXPERTS || other > best || (other == best && from < expert)))
                best = other, expert = from;
        }
        expert = __shfl_sync(~0u, expert, 0);  // lanes may differ where scores are no numbers
        float score = 0;
#pragma unroll
        for (int i = 0; i < OWN; ++i) {
            if (32 * i + lane != expert) continue;
            score = scores[i], taken |= 1u << i;
        }
        score = __shfl_sync(~0u, score, expert % 32);
        if (lane == round) own = expert, share = score;
    }
    const float all = whole(share);
    if (NORMALIZED) share /= fmaxf(all, 1e-20f);
    if (lane < USED) chosen[lane] = own, shares[lane] = share * scale;
}

// constants: what is added to the mean square of a row, what weights of experts are multiplied by, two that are not
// used; then the norm's weights, the router's bias and the one for choices.
template <
    int EXPERTS, int COLUMNS, int ROWS, int USED, bool SIGMOID, bool NORMALIZED, bool BIASED, bool CHOICE_BIASED>
__device__ inline void route(
    const float* x, int rows, const __half* router, const float* constants, unsigned* tickets, __half* normed,
    int* chosen, float* shares, float* logits, int blocks = gridDim.x
) {
    constexpr int EACH = Router::EACH, WARPS = Router::WARPS, THREADS = Router::THREADS, SUMS = EACH + 1;
    static_assert(EXPERTS % EACH == 0 && EXPERTS <= 1024 && USED <= 32 && COLUMNS % 8 == 0);
    __shared__ float parts[WARPS][SUMS][ROWS];
    __shared__ float factors[ROWS];
    __shared__ unsigned ticket;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first = blockIdx.x * EACH;
    const float* norm = constants + 4;
    const float* bias = norm + COLUMNS;
    float sums[SUMS][ROWS];  // of each expert, and of squares
#pragma unroll
    for (int i = 0; i < SUMS; ++i)
#pragma unroll
        for (int row = 0; row < ROWS; ++row) sums[i][row] = 0;
    for (int at = threadIdx.x; at < COLUMNS / 8; at += THREADS) {
        float by[8], weights[EACH][8];
        *(float4*)by = ((const float4*)norm)[2 * at];
        *(float4*)(by + 4) = ((const float4*)norm)[2 * at + 1];
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            const uint4 eight = ((const uint4*)router)[size_t(first + i) * (COLUMNS / 8) + at];
#pragma unroll
            for (int j = 0; j < 8; ++j) weights[i][j] = by[j] * __half2float(((const __half*)&eight)[j]);
        }
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {  // without an end between them all are on their way at once
            float eight[8];
            const float4* from = (const float4*)x + size_t(min(row, rows - 1)) * (COLUMNS / 4) + 2 * at;
            *(float4*)eight = from[0];
            *(float4*)(eight + 4) = from[1];
#pragma unroll
            for (int j = 0; j < 8; ++j) {
                sums[EACH][row] += eight[j] * eight[j];
#pragma unroll
                for (int i = 0; i < EACH; ++i) sums[i][row] += eight[j] * weights[i][j];
            }
        }
    }
#pragma unroll
    for (int i = 0; i < SUMS; ++i)
#pragma unroll
        for (int row = 0; row < ROWS; ++row) {
            const float sum = whole(sums[i][row]);
            if (lane == 0) parts[warp][i][row] = sum;
        }
    __syncthreads();
    for (int row = threadIdx.x; row < rows; row += THREADS) {
        float sum = 0;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) sum += parts[w][EACH][row];
        factors[row] = rsqrtf(sum / COLUMNS + constants[0]);
    }
    __syncthreads();
    for (int at = threadIdx.x; at < EACH * rows; at += THREADS) {
        const int row = at / EACH, i = at % EACH;
        float sum = 0;
#pragma unroll
        for (int w = 0; w < WARPS; ++w) sum += parts[w][i][row];
        sum *= factors[row];
        if (BIASED) sum += bias[first + i];
        logits[size_t(row) * EXPERTS + first + i] = sum;
    }
    // Everybody norms a share of all rows.
    for (int at = blockIdx.x * THREADS + threadIdx.x; at < rows * (COLUMNS / 8); at += blocks * THREADS) {
        const int row = at / (COLUMNS / 8), column = at % (COLUMNS / 8) * 8;
        __align__(16) __half2 eight[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const float2 two = ((const float2*)x)[size_t(at) * 4 + j];
            const float by = factors[row];
            eight[j] = __floats2half2_rn(two.x * by * norm[column + 2 * j], two.y * by * norm[column + 2 * j + 1]);
        }
        ((uint4*)normed)[at] = *(uint4*)eight;
    }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) ticket = atomicInc(tickets, blocks - 1);
    __syncthreads();
    if (ticket != blocks - 1) return;
    __threadfence();
    const float* choice_bias = CHOICE_BIASED ? bias + (BIASED ? EXPERTS : 0) : nullptr;
    for (int row = warp; row < rows; row += WARPS)
        choose<EXPERTS, USED, SIGMOID, NORMALIZED>(
            logits + size_t(row) * EXPERTS, choice_bias, constants[1], chosen + row * USED, shares + row * USED
        );
}

}  // namespace experts
