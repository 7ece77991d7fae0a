// The products of a few rows with the matrices of the experts that they chose; __init__.py says what is computed.
//
// A block has STRIPS strips of the matrix of one expert, that of the choice number blockIdx.y, and reads them once for
// all rows that chose it. Where an earlier choice is of the same expert, that one's block has done it.

namespace experts {

using affine::STRIP;

enum Epilogue { GATED, MIXED };

// The choices of one expert: their numbers in `members`, in order. Returns how many there are; 0 where the choice `own`
// is not the first of them. MOST: of all choices. For whole warps, all of which count and of which the first writes.
template <int MOST, int MOST_MEMBERS>
__device__ inline int choices_of(int expert, int own, const int* chosen, int choices, int* members) {
    constexpr int CHUNKS = (MOST + 31) / 32;
    const int lane = threadIdx.x % 32;
    int others[CHUNKS];
#pragma unroll
    for (int i = 0; i < CHUNKS; ++i) others[i] = 32 * i + lane < choices ? chosen[32 * i + lane] : -1;
    int count = 0;
#pragma unroll
    for (int i = 0; i < CHUNKS; ++i) {
        const bool same = others[i] == expert;
        const unsigned all = __ballot_sync(~0u, same);
        if (all && count == 0 && 32 * i + __ffs(all) - 1 < own) return 0;
        const int at = count + __popc(all & ((1u << lane) - 1));
        if (same && threadIdx.x < 32 && at < MOST_MEMBERS) members[at] = 32 * i + lane;
        count += __popc(all);
    }
    return min(count, MOST_MEMBERS);
}

template <
    int BITS, int GROUP, int COLUMNS, int OUTPUTS, int EXPERTS, int TILES, int STRIPS, int WARPS, int USED, bool BIASED,
    int EPILOGUE, int ACTIVATION>
struct Product {
    using Held = affine::Matrix<BITS, STRIPS, GROUP, COLUMNS>;
    static constexpr int THREADS = WARPS * 32;
    static constexpr int UNITS = EPILOGUE == GATED ? OUTPUTS / 2 : OUTPUTS;  // outputs of an expert
    static constexpr int OWN = EPILOGUE == GATED ? STRIPS / 2 : STRIPS;      // strips of them
    static constexpr int SHARING = EPILOGUE == GATED ? USED : 1;             // choices that have one row of x
    using Sums = float[WARPS][STRIPS][TILES][128];

    const __half* x;
    const int* chosen;
    int choices;
    const unsigned* packed;
    const __half* scales;
    const __half* biases;
    const float* constants;

    // Calls write(choice, unit, sum, the sum of what is gated) for all that this block has. Sums have their bias.
    template <typename Write>
    __device__ inline void run(Sums& sums, const Write& write) const {
        __shared__ int members[TILES * 8];
        const int warp = threadIdx.x / 32, quad = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
        const int expert = chosen[blockIdx.y];
        const int count = choices_of<TILES * 8 * USED, TILES * 8>(expert, blockIdx.y, chosen, choices, members);
        if (count == 0) return;
        Held matrix = {(const uint4*)packed, scales, biases, {}};
#pragma unroll
        for (int strip = 0; strip < STRIPS; ++strip)
            matrix.first[strip] =
                (strip / OWN * EXPERTS + expert) * UNITS + (blockIdx.x * OWN + strip % OWN) * STRIP + quad;
        typename Held::Part part;
        if (warp < Held::RUNS) matrix.load(part, warp, member, 0);
        __syncthreads();
        int rows[TILES];
#pragma unroll
        for (int tile = 0; tile < TILES; ++tile)
            rows[tile] = tile * 8 + quad < count ? members[tile * 8 + quad] / SHARING : -1;
        const auto row_of = [&](int tile) { return rows[tile]; };
        affine::accumulate<affine::BY_ROWS, false>(matrix, part, (const uint4*)x, 0, (count + 7) / 8, row_of, sums);
        for (int at = threadIdx.x; at < OWN * TILES * 128; at += THREADS) {
            const int strip = at / (TILES * 128), tile = at / 128 % TILES, within = at % 128;
            const int row = tile * 8 + affine::row_within(within);
            const int unit = (blockIdx.x * OWN + strip) * STRIP + affine::output_within(within);
            if (row >= count) continue;
            float sum = affine::total<Held>(sums, strip, tile, within), up = 0;
            if constexpr (EPILOGUE == GATED) up = affine::total<Held>(sums, strip + OWN, tile, within);
            if constexpr (BIASED) {
                const float* bias = constants + 4 + expert * UNITS + unit;
                sum += bias[0];
                if constexpr (EPILOGUE == GATED) up += bias[EXPERTS * UNITS];
            }
            write(members[row], unit, sum, up);
        }
    }

    // What is behind the gates, of each choice.
    __device__ inline void gate(__half* out) const {
        __shared__ Sums sums;
        const float gain = constants[0];
        run(sums, [&](int choice, int unit, float sum, float up) {
            out[size_t(choice) * UNITS + unit] = __float2half(affine::gated(ACTIVATION, sum, up) * gain);
        });
    }

    // The rows of x are one a choice. The last block of some outputs adds up what experts give to each token, in the
    // order in which it chose them.
    __device__ inline void mix(
        const float* shares, const float* residual, unsigned* tickets, float* out, float* parts
    ) const {
        __shared__ Sums sums;
        __shared__ unsigned ticket;
        run(sums, [&](int choice, int unit, float sum, float) {
            parts[size_t(choice) * UNITS + unit] = sum * shares[choice];
        });
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0) ticket = atomicInc(tickets + blockIdx.x, gridDim.y - 1);
        __syncthreads();
        if (ticket != gridDim.y - 1) return;
        __threadfence();
        constexpr int WIDTH = OWN * STRIP;
        const float gain = constants[0];
        for (int at = threadIdx.x; at < choices / USED * WIDTH; at += THREADS) {
            const int token = at / WIDTH, unit = blockIdx.x * WIDTH + at % WIDTH;
            float sum = 0;
#pragma unroll
            for (int i = 0; i < USED; ++i) sum += __ldcg(parts + size_t(token * USED + i) * UNITS + unit);
            const size_t to = size_t(token) * UNITS + unit;
            out[to] = residual[to] + sum * gain;
        }
    }
};

}  // namespace experts
