// What a step of one token a sequence does between two products, in one kernel: queries and keys are normed and turned,
// the token's key and value are written to their page, and its queries attend to all that the sequence has.
//
// A block has one sequence, one head of keys with its GROUP heads of queries, and one split of the context; each of its
// warps goes through tiles of 16 tokens on tensor cores. The last block of a head to finish adds its splits up, in
// their order. How long splits are, at whose multiples they begin, and so sums, depends on what the sequence sees alone.

namespace attention_step {

constexpr int TILE = 16;

// Tokens of a split where a sequence sees so many, by measurement: a long one has splits enough for all processors, and
// less to add up where each is longer.
__host__ __device__ constexpr int split_keys(int seen) { return seen < 4096 ? 256 : 512; }

enum Style { STRAIGHT, NEIGHBOURS, HALVES };

// Adds the product of 16 rows of a and 8 columns of b, of which the rows from 8 on are zeros.
__device__ inline void multiply(float& sum, float& next, unsigned a0, unsigned a2, unsigned b0, unsigned b1) {
    float none, nothing;
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%10,%10};\n"
        : "+f"(sum), "+f"(next), "=f"(none), "=f"(nothing)
        : "r"(a0), "r"(0u), "r"(a2), "r"(0u), "r"(b0), "r"(b1), "f"(0.0f)
    );
}

__device__ inline float whole(float x) {
#pragma unroll
    for (int step = 16; step > 0; step /= 2) x += __shfl_xor_sync(~0u, x, step);
    return x;
}

__device__ inline unsigned packed(float a, float b) {
    __half2 both = __floats2half2_rn(a, b);
    return *reinterpret_cast<unsigned*>(&both);
}

// A head's numbers of a token in a page: 16 bits each; or codes of 8, of which BLOCK share a 16-bit scale that stands
// behind all codes, in rows of whole 16 bytes. A warp writes a row, each lane its DIMS / 32 numbers.
template <int DIMS, int BLOCK>
struct PageRow {
    using Part = unsigned char;
    static constexpr int EACH = DIMS / 32, LANES = BLOCK / EACH;
    static constexpr int WIDTH = (DIMS + DIMS / BLOCK * 2 + 15) / 16 * 16;  // bytes
    static_assert(DIMS % BLOCK == 0 && BLOCK % EACH == 0 && BLOCK >= 32);

    __device__ static inline void write(const float* x, Part* to) {
        const int lane = threadIdx.x % 32;
        float kept[EACH], most = 0;
#pragma unroll
        for (int i = 0; i < EACH; ++i) {
            kept[i] = __half2float(__float2half(x[i]));  // as prompts' are
            most = fmaxf(most, fabsf(kept[i]));
        }
#pragma unroll
        for (int step = LANES / 2; step > 0; step /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, step));
        const __half scale = __float2half(fminf(most / 127.0f, 65504.0f));
        const float wide = __half2float(scale), inverse = wide > 0 ? 1.0f / wide : 0.0f;
#pragma unroll
        for (int i = 0; i < EACH; ++i)
            to[lane * EACH + i] = Part(int(fminf(fmaxf(rintf(kept[i] * inverse), -127.0f), 127.0f)));
        if (lane % LANES == 0) *(__half*)(to + DIMS + lane / LANES * 2) = scale;
        if (lane < (WIDTH - DIMS) / 2 - DIMS / BLOCK) *(__half*)(to + DIMS + (DIMS / BLOCK + lane) * 2) = __float2half(0.0f);
    }

    // Eight numbers from `begin` on, a multiple of 8, each rounded to 16 bits.
    __device__ static inline uint4 eight(const Part* row, int begin) {
        const uint2 codes = *(const uint2*)(row + begin);
        const __half2 scale = __half2half2(*(const __half*)(row + DIMS + begin / BLOCK * 2));
        return make_uint4(
            two<0x4140>(codes.x, scale), two<0x4342>(codes.x, scale), two<0x4140>(codes.y, scale), two<0x4342>(codes.y, scale)
        );
    }

    // Two codes as 16-bit floats 1,024 + (code + 128), of which 1,152 leave the codes, exactly.
    template <unsigned CHOSEN>
    __device__ static inline unsigned two(unsigned codes, __half2 scale) {
        unsigned raised = __byte_perm(codes ^ 0x80808080u, 0x64646464u, CHOSEN);
        const __half2 exact = __hadd2(*reinterpret_cast<__half2*>(&raised), __float2half2_rn(-1152.0f));
        __half2 scaled = __hmul2(exact, scale);
        return *reinterpret_cast<unsigned*>(&scaled);
    }
};

template <int DIMS>
struct PageRow<DIMS, 0> {
    using Part = __half;
    static constexpr int EACH = DIMS / 32, WIDTH = DIMS;

    __device__ static inline void write(const float* x, Part* to) {
#pragma unroll
        for (int i = 0; i < EACH; ++i) to[threadIdx.x % 32 * EACH + i] = __float2half(x[i]);
    }
    __device__ static inline uint4 eight(const Part* row, int begin) { return *(const uint4*)(row + begin); }
};

template <
    int DIMS, int KV_HEADS, int GROUP, int PAIRS, int STYLE, int PAGE, int WINDOW, bool CHUNKED, bool NORMED,
    bool ROPE_FIRST, bool NORM_VALUES, bool OWN_KEYS, bool CAPPED, bool SINKS, int KEY_BLOCK = 0, int VALUE_BLOCK = 0>
struct Step {
    using KeyRow = PageRow<DIMS, KEY_BLOCK>;
    using ValueRow = PageRow<DIMS, VALUE_BLOCK>;
    static constexpr int KEY_HEADS = KV_HEADS, HEADS = KV_HEADS * GROUP, DIMENSIONS = DIMS, EACH = DIMS / 32;
    static constexpr int WARPS = GROUP * DIMS <= 1024 ? 8 : 4, THREADS = WARPS * 32;
    static_assert(GROUP <= 8 && DIMS % 64 == 0 && PAGE % TILE == 0 && 8 * GROUP * DIMS <= 16384);

    // One head of a row by one warp: normed and turned as its kind is, as Row has its numbers.
    template <typename Row>
    __device__ static inline void prepare(
        const __half* from, const float* norm, bool scaled, bool turned, const float* angles, float eps, float* space,
        typename Row::Part* to
    ) {
        const int lane = threadIdx.x % 32;
        float x[EACH];
#pragma unroll
        for (int i = 0; i < EACH; ++i) x[i] = __half2float(from[lane * EACH + i]);
        if (turned && ROPE_FIRST) turn(x, angles, space);
        if (scaled) {
            float sum = 0;
#pragma unroll
            for (int i = 0; i < EACH; ++i) sum += x[i] * x[i];
            const float inverse = rsqrtf(whole(sum) / DIMS + eps);
#pragma unroll
            for (int i = 0; i < EACH; ++i) x[i] *= inverse * (norm ? norm[lane * EACH + i] : 1.0f);
        }
        if (turned && !ROPE_FIRST) turn(x, angles, space);
        Row::write(x, to);
    }

    __device__ static inline void turn(float* x, const float* angles, float* space) {
        if constexpr (STYLE == STRAIGHT) return;
        const int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < EACH; ++i) space[lane * EACH + i] = x[i];
        __syncwarp();
        for (int pair = lane; pair < PAIRS; pair += 32) {
            const int a = STYLE == NEIGHBOURS ? 2 * pair : pair, b = STYLE == NEIGHBOURS ? a + 1 : pair + PAIRS;
            const float cosine = angles[pair], sine = angles[PAIRS + pair], p = space[a], q = space[b];
            space[a] = p * cosine - q * sine;
            space[b] = q * cosine + p * sine;
        }
        __syncwarp();
#pragma unroll
        for (int i = 0; i < EACH; ++i) x[i] = space[lane * EACH + i];
        __syncwarp();
    }

    struct Shared {
        __align__(16) __half queries[8][DIMS + 8];  // rows in banks of their own
        float sums[WARPS][GROUP][DIMS], most[WARPS][8], totals[WARPS][8];
        unsigned ticket;
    };

    // What one block computes: a split of a row of `rows` and head, of which `at` are before it. part: where the sums of
    // their first split stand among all.
    struct Place {
        int row, rows, head, at;
        size_t part;
    };

    // The first key that a token sees, of a sequence with it so long.
    __device__ static inline int first_of(int length) {
        return !WINDOW ? 0 : CHUNKED ? (length - 1) / WINDOW * WINDOW : max(0, length - WINDOW);
    }
    __device__ static inline int splits_of(int length) {
        const int first = first_of(length), each = split_keys(length - first);
        return (length - 1) / each - first / each + 1;
    }

    // layout: of each row its length, the slot of its token, cosines and sines, and its pages. constants: eps, scale, soft
    // cap, one that is not used; then the norms of queries and of keys, and sinks. LAYOUT: how rows of `out` are to lie.
    // EARLY: whether keys are on their way while queries are made; where registers are short that costs more than it saves.
    template <int LAYOUT, bool EARLY>
    __device__ static inline void run(
        Shared& shared, Place place, const __half* query_rows, const __half* key_rows,
        const __half* value_rows,  // of this block's sequence
        const int* layout, int width, const float* constants, typename KeyRow::Part* keys, typename ValueRow::Part* values,
        unsigned* tickets, __half* out, float* partial, float* states
    ) {
        auto& queries = shared.queries;
        auto& sums = shared.sums;
        auto& most = shared.most;
        auto& totals = shared.totals;
        const int head = place.head, row = place.row, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const size_t part = place.part;
        const int* own = layout + size_t(row) * width;
        const int quad = lane / 4, member = lane % 4, length = own[0], slot_of_token = own[1], position = length - 1;
        const float* turns = (const float*)(own + 2);
        const int* table = own + 2 + 2 * PAIRS;
        const float *query_norm = constants + 4, *key_norm = query_norm + DIMS, *sinks = query_norm + (NORMED ? 2 * DIMS : 0);
        const int first = first_of(length), each = split_keys(length - first);
        const int splits = splits_of(length), split = first / each + place.at;
        if (place.at >= splits) return;
        const bool last = split == position / each;
        const float eps = constants[0], cap = constants[2];
        const float scale = CAPPED ? constants[1] : constants[1] * 1.4426950408889634f;

        // The keys of a tile.
        uint4 key[2][DIMS / 32];
        const auto is_seen = [&](int begin) { return begin + TILE > first && begin < length; };
        const auto slot_of = [&](int begin) { return size_t(table[begin / PAGE]) * PAGE + begin % PAGE; };
        const auto load_keys = [&](size_t slot) {
#pragma unroll
            for (int j = 0; j < 2; ++j)
#pragma unroll
                for (int i = 0; i < DIMS / 32; ++i)
                    key[j][i] = KeyRow::eight(
                        keys + ((slot + j * 8 + quad) * KV_HEADS + head) * KeyRow::WIDTH, i * 32 + member * 8
                    );
        };
        const int begins = split * each + warp * TILE;
        if constexpr (EARLY)
            if (is_seen(begins)) load_keys(slot_of(begins));

        for (int which = warp; which < 8 + (OWN_KEYS ? 2 : 0); which += WARPS) {
            float* space = sums[warp][0];
            if (which < GROUP) {
                const __half* query = query_rows + (head * GROUP + which) * DIMS;
                prepare<PageRow<DIMS, 0>>(query, query_norm, NORMED, true, turns, eps, space, queries[which]);
            } else if (which < 8) {
#pragma unroll
                for (int i = 0; i < EACH; ++i) queries[which][lane * EACH + i] = __float2half(0.0f);
            } else if (OWN_KEYS && last && slot_of_token >= 0) {
                const size_t to = size_t(slot_of_token) * KV_HEADS + head;
                const __half *key = key_rows + head * DIMS, *value = value_rows + head * DIMS;
                if (which == 8)
                    prepare<KeyRow>(key, key_norm, NORMED, true, turns, eps, space, keys + to * KeyRow::WIDTH);
                else
                    prepare<ValueRow>(
                        value, nullptr, NORM_VALUES, false, turns, eps, space, values + to * ValueRow::WIDTH
                    );
            }
        }
        __syncthreads();

        float sum[DIMS / 64][8][2], highest = -1e30f, total = 0;
#pragma unroll
        for (int i = 0; i < DIMS / 64; ++i)
#pragma unroll
            for (int j = 0; j < 8; ++j) sum[i][j][0] = sum[i][j][1] = 0;
        for (int begin = begins; begin < (split + 1) * each; begin += WARPS * TILE) {
            if (!is_seen(begin)) continue;
            const size_t slot = slot_of(begin);
            // The token's own are there by now.
            if (!EARLY || begin != begins || (OWN_KEYS && position - begin < TILE)) load_keys(slot);
            float score[2][2];
            score[0][0] = score[0][1] = score[1][0] = score[1][1] = 0;
#pragma unroll
            for (int i = 0; i < DIMS / 32; ++i) {
                const uint4 query = *(const uint4*)&queries[quad][i * 32 + member * 8];
#pragma unroll
                for (int j = 0; j < 2; ++j) {
                    multiply(score[j][0], score[j][1], query.x, query.y, key[j][i].x, key[j][i].y);
                    multiply(score[j][0], score[j][1], query.z, query.w, key[j][i].z, key[j][i].w);
                }
            }
            asm volatile("" ::: "memory");  // values are read later: with fewer registers more blocks share a processor
            uint4 value[4][DIMS / 64];
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                const int token = member * 2 + j % 2 + j / 2 * 8;
#pragma unroll
                for (int i = 0; i < DIMS / 64; ++i) {
                    value[j][i] = ValueRow::eight(
                        values + ((slot + token) * KV_HEADS + head) * ValueRow::WIDTH, i * 64 + quad * 8
                    );
                    // Nothing was written there yet, or another's: zero times that must stay zero.
                    if (begin + token >= length || (WINDOW && begin + token < first)) value[j][i] = make_uint4(0, 0, 0, 0);
                }
            }
#pragma unroll
            for (int j = 0; j < 2; ++j) {
#pragma unroll
                for (int i = 0; i < 2; ++i) {
                    const int token = begin + j * 8 + member * 2 + i;
                    float x = score[j][i] * scale;
                    if (CAPPED) x = cap * tanhf(x / cap) * 1.4426950408889634f;
                    score[j][i] = token >= first && token < length ? x : -1e30f;
                }
            }
            float higher = fmaxf(fmaxf(score[0][0], score[0][1]), fmaxf(score[1][0], score[1][1]));
            higher = fmaxf(higher, __shfl_xor_sync(~0u, higher, 1));
            higher = fmaxf(fmaxf(higher, __shfl_xor_sync(~0u, higher, 2)), highest);
            const float kept = exp2f(highest - higher);
            float weight[2][2];
#pragma unroll
            for (int j = 0; j < 2; ++j)
#pragma unroll
                for (int i = 0; i < 2; ++i) weight[j][i] = score[j][i] > -1e29f ? exp2f(score[j][i] - higher) : 0.0f;
            total = total * kept + weight[0][0] + weight[0][1] + weight[1][0] + weight[1][1];
            highest = higher;
            const unsigned early = packed(weight[0][0], weight[0][1]), late = packed(weight[1][0], weight[1][1]);
#pragma unroll
            for (int i = 0; i < DIMS / 64; ++i)
#pragma unroll
                for (int j = 0; j < 8; ++j) {
                    sum[i][j][0] *= kept, sum[i][j][1] *= kept;
                    const unsigned which = j % 2 ? 0x7632 : 0x5410;
                    const unsigned* words[4] = {(const unsigned*)&value[0][i], (const unsigned*)&value[1][i],
                                                (const unsigned*)&value[2][i], (const unsigned*)&value[3][i]};
                    multiply(
                        sum[i][j][0], sum[i][j][1], early, late, __byte_perm(words[0][j / 2], words[1][j / 2], which),
                        __byte_perm(words[2][j / 2], words[3][j / 2], which)
                    );
                }
        }
        total += __shfl_xor_sync(~0u, total, 1);
        total += __shfl_xor_sync(~0u, total, 2);
        if (quad < GROUP) {
#pragma unroll
            for (int i = 0; i < DIMS / 64; ++i)
#pragma unroll
                for (int j = 0; j < 8; ++j) {
                    sums[warp][quad][i * 64 + member * 16 + j] = sum[i][j][0];
                    sums[warp][quad][i * 64 + member * 16 + 8 + j] = sum[i][j][1];
                }
            if (member == 0) most[warp][quad] = highest, totals[warp][quad] = total;
        }
        __syncthreads();

        const bool alone = splits == 1;
        for (int at = threadIdx.x; at < GROUP * DIMS; at += THREADS) {
            const int g = at / DIMS, dim = at % DIMS;
            float higher = -1e30f, result = 0, all = 0;
#pragma unroll
            for (int w = 0; w < WARPS; ++w) higher = fmaxf(higher, most[w][g]);
#pragma unroll
            for (int w = 0; w < WARPS; ++w) {
                const float by = exp2f(most[w][g] - higher);
                result += sums[w][g][dim] * by;
                all += totals[w][g] * by;
            }
            if (alone) {
                if (SINKS) all += exp2f(sinks[head * GROUP + g] * 1.4426950408889634f - higher);
                out[affine::place_of<LAYOUT, HEADS * DIMS>(row, head * GROUP * DIMS + at, place.rows)] =
                    __float2half(result / all);
            } else {
                partial[(part + place.at) * GROUP * DIMS + at] = result;
                if (dim == 0) {
                    float* state = states + ((part + place.at) * GROUP + g) * 2;
                    state[0] = higher, state[1] = all;
                }
            }
        }
        if (alone) return;
        __threadfence();
        __syncthreads();
        if (threadIdx.x == 0) shared.ticket = atomicInc(tickets + row * KV_HEADS + head, splits - 1);
        __syncthreads();
        if (int(shared.ticket) != splits - 1) return;
        __threadfence();
        // Each split's weight in the end: of one head by one warp.
        float* weights = sums[0][0];  // [GROUP][splits]: room for WARPS * DIMS of them
        for (int g = warp; g < GROUP; g += WARPS) {
            float higher = -1e30f, all = 0;
            for (int s = lane; s < splits; s += 32) higher = fmaxf(higher, __ldcg(states + ((part + s) * GROUP + g) * 2));
#pragma unroll
            for (int step = 16; step > 0; step /= 2) higher = fmaxf(higher, __shfl_xor_sync(~0u, higher, step));
            for (int s = lane; s < splits; s += 32) {
                const float2 state = __ldcg((const float2*)(states + ((part + s) * GROUP + g) * 2));
                weights[g * splits + s] = exp2f(state.x - higher);
                all += state.y * exp2f(state.x - higher);
            }
            all = whole(all);
            if (SINKS) all += exp2f(sinks[head * GROUP + g] * 1.4426950408889634f - higher);
            for (int s = lane; s < splits; s += 32) weights[g * splits + s] /= all;
        }
        __syncthreads();
        for (int at = threadIdx.x; at < GROUP * DIMS; at += THREADS) {
            const float* by = weights + at / DIMS * splits;
            float result = 0;
#pragma unroll 8
            for (int s = 0; s < splits; ++s) result += __ldcg(partial + (part + s) * GROUP * DIMS + at) * by[s];
            out[affine::place_of<LAYOUT, HEADS * DIMS>(row, head * GROUP * DIMS + at, place.rows)] = __float2half(result);
        }
    }
};

}  // namespace attention_step
