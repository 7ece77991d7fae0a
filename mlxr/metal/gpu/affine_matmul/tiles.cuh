// Affine codes, or 16-bit floats, times a few rows of 16-bit floats, on tensor cores: what kernels for one matrix and for
// experts share.
//
// A block has STRIPS strips of 16 rows of a matrix and reads them once for all rows of x. The runs of columns are dealt
// out to 8 shares, of which a warp has one or two; those are added up in one order, whatever STRIPS and WARPS are, so
// that a row's sums do not depend on how many rows there are.
#pragma once

namespace affine {

constexpr int STRIP = 16, SHARES = 8;

enum Epilogue { PLAIN, RESIDUAL, GATED };
enum Activation { SILU, GELU_TANH, GELU, SWIGLU_OAI, RELU_SQUARED };

// Weights are 2^-6 of what they are while they are 16-bit: small codes alone are subnormal halves, c * 2^-24, which one
// multiplication takes to where their scale has them. That bounds scales (__init__.py, MOST_SCALE).
constexpr float SHRINK = 1.0f / 64;

__device__ inline unsigned scaled(unsigned codes, __half2 scale, __half2 bias) {
    __half2 weights = __hfma2(*reinterpret_cast<__half2*>(&codes), scale, bias);
    return *reinterpret_cast<unsigned*>(&weights);
}

// What a group's weights are made with: scale for codes in the lowest bits of a half, and for those 4 bits higher.
struct Scale {
    __half2 low, high, bias;
    __device__ inline Scale() {}
    __device__ inline Scale(__half scale, __half bias)
        : low(__half2half2(__hmul(scale, __float2half(262144.0f * 0.0625f)))),
          high(low),
          bias(__half2half2(__hmul(bias, __float2half(SHRINK)))) {
        low = __hmul2(low, __float2half2_rn(16.0f));
    }
};

// Eight weights of one row, in the order of order_eight.
template <int BITS>
__device__ inline void decode_eight(const unsigned* words, const Scale& by, unsigned* weights) {
    if constexpr (BITS == 4) {
        const unsigned low = words[0], high = low >> 8;
        weights[0] = scaled(low & 0x000f000fu, by.low, by.bias);
        weights[1] = scaled(low & 0x00f000f0u, by.high, by.bias);
        weights[2] = scaled(high & 0x000f000fu, by.low, by.bias);
        weights[3] = scaled(high & 0x00f000f0u, by.high, by.bias);
    } else {
#pragma unroll
        for (int i = 0; i < 4; ++i)
            weights[i] = scaled(__byte_perm(words[i / 2], 0, i % 2 ? 0x4342 : 0x4140), by.low, by.bias);
    }
}

// Eight inputs in the order that codes come apart in: of 4 bits the first and the fifth, the second and the sixth...
template <int BITS>
__device__ inline uint4 order_eight(uint4 inputs) {
    if constexpr (BITS != 4) return inputs;
    return make_uint4(
        __byte_perm(inputs.x, inputs.z, 0x5410), __byte_perm(inputs.x, inputs.z, 0x7632),
        __byte_perm(inputs.y, inputs.w, 0x5410), __byte_perm(inputs.y, inputs.w, 0x7632)
    );
}

// Adds the product of 16 rows and 16 columns of weights with 8 rows of inputs, summed in float32.
__device__ inline void multiply(
    float* sum, unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1
) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1)
    );
}

__device__ inline float activated(int activation, float x) {
    switch (activation) {
        case SILU: return x / (1 + __expf(-x));
        case GELU_TANH: return 0.5f * x * (1 + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
        case GELU: return 0.5f * x * (1 + erff(x * 0.7071067811865476f));
        default: x = fmaxf(x, 0.0f); return x * x;
    }
}

__device__ inline float gated(int activation, float gate, float up) {
    if (activation != SWIGLU_OAI) return activated(activation, gate) * up;
    gate = fminf(gate, 7.0f), up = fminf(fmaxf(up, -7.0f), 7.0f);
    return gate / (1 + __expf(-1.702f * gate)) * (up + 1);
}

__device__ inline uint4 streamed(const uint4* from) {
    uint4 value;
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0,%1,%2,%3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                 : "l"(from));
    return value;
}

// A matrix of codes. Of a run of 256 columns a lane has 64 codes of two rows of each strip, with the scales and biases
// of both halves.
template <int BITS, int STRIPS, int GROUP, int COLUMNS>
struct Matrix {
    static constexpr int RUNS = (COLUMNS + 255) / 256, STAGES = 1, EIGHTS = 8;  // of a lane in a run
    static constexpr float GROWTH = 1 / SHRINK;  // of sums to what they stand for

    const uint4* packed;
    const __half* scales;
    const __half* biases;
    int first[STRIPS];  // this lane's first row of each strip; its second one is 8 further

    struct Part {
        uint4 codes[STRIPS][2][BITS / 2];
        __half2 scales[STRIPS][2], biases[STRIPS][2];
    };

    // Of the 64 columns that begin at 64 * at, in a row as long as a multiple of GROUP.
    __device__ static inline __half2 of_halves(const __half* from, size_t at) {
        if constexpr (GROUP == 32) return ((const __half2*)from)[at];
        return __half2half2(from[at * 64 / GROUP]);
    }

    __device__ inline void load(Part& part, int run, int member, int) const {
        const int pair = run * 4 + member;
        if (COLUMNS % 256 && pair >= COLUMNS / 64) {  // beyond a row's end everything is zero
            part = {};
            return;
        }
#pragma unroll
        for (int strip = 0; strip < STRIPS; ++strip)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const size_t at = size_t(first[strip] + half * 8) * (COLUMNS / 64) + pair;
#pragma unroll
                for (int i = 0; i < BITS / 2; ++i) part.codes[strip][half][i] = streamed(packed + at * (BITS / 2) + i);
                part.scales[strip][half] = of_halves(scales, at);
                part.biases[strip][half] = of_halves(biases, at);
            }
    }

    // Eight weights of a lane's row, two in a register.
    __device__ static inline void decode(const Part& part, int strip, int half, int eight, unsigned* weights) {
        const __half2 s = part.scales[strip][half], b = part.biases[strip][half];
        const Scale by = eight < 4 ? Scale(__low2half(s), __low2half(b)) : Scale(__high2half(s), __high2half(b));
        decode_eight<BITS>((const unsigned*)part.codes[strip][half] + eight * (BITS / 4), by, weights);
    }
};

// A matrix of 16-bit floats. Of a run of 128 columns a lane has 32 numbers of two rows of each strip; where there are
// many strips, half of them at a time.
template <int STRIPS, int GROUP, int COLUMNS>
struct Matrix<16, STRIPS, GROUP, COLUMNS> {
    static constexpr int RUNS = (COLUMNS + 127) / 128, STAGES = STRIPS < 4 ? 1 : 2, EIGHTS = 4 / STAGES;
    static constexpr float GROWTH = 1;

    const uint4* packed;
    const __half* scales;
    const __half* biases;
    int first[STRIPS];

    struct Part {
        uint4 values[STRIPS][2][EIGHTS];
    };

    __device__ inline void load(Part& part, int run, int member, int stage) const {
        const int eight = (run * 4 + member) * 4 + stage * EIGHTS;
        if (COLUMNS % 128 && eight >= COLUMNS / 8) {
            part = {};
            return;
        }
#pragma unroll
        for (int strip = 0; strip < STRIPS; ++strip)
#pragma unroll
            for (int half = 0; half < 2; ++half)
#pragma unroll
                for (int i = 0; i < EIGHTS; ++i)
                    part.values[strip][half][i] =
                        streamed(packed + size_t(first[strip] + half * 8) * (COLUMNS / 8) + eight + i);
    }

    __device__ static inline void decode(const Part& part, int strip, int half, int eight, unsigned* weights) {
        *(uint4*)weights = part.values[strip][half][eight];
    }
};

// The sums of each share's runs, of which the warp's first is in `part`, as tensor cores lay them out; with warps of two
// shares each of both together. `input`: of so many `rows`, by LAYOUT. ALONE: there is one. row_of: which of them this
// lane has in a tile, or -1, whose sums nobody reads; tiles: how many of the TILES have rows, at least one. load_next:
// called with the part that the warp's next run is to be in, where it has no more of this matrix.
template <
    int LAYOUT, bool ALONE, int BITS, int STRIPS, int GROUP, int COLUMNS, int WARPS, int TILES, typename Part,
    typename RowOf, typename LoadNext>
__device__ inline void accumulate(
    const Matrix<BITS, STRIPS, GROUP, COLUMNS>& matrix, Part& part, const uint4* input, int rows, int tiles,
    const RowOf& row_of, float (&sums)[WARPS][STRIPS][TILES][128], const LoadNext& load_next
) {
    using Held = Matrix<BITS, STRIPS, GROUP, COLUMNS>;
    static_assert(LAYOUT == BY_ROWS || COLUMNS % RUN == 0);
    static_assert(LAYOUT != BY_RUNS_ORDERED || BITS == 4);
    // A run is on its way while the one before it is multiplied, where registers have room for both; several rows would
    // wait behind it for each other's numbers.
    constexpr bool AHEAD = ALONE && BITS == 4;
    constexpr bool RAGGED = COLUMNS % (32 * Held::STAGES * Held::EIGHTS) != 0;
    static_assert(WARPS == 4 || WARPS == SHARES || Held::RUNS <= WARPS);
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, member = lane % 4;
    for (int share = warp; share < SHARES; share += WARPS) {
        float accumulated[STRIPS][TILES][4];
#pragma unroll
        for (int strip = 0; strip < STRIPS; ++strip)
#pragma unroll
            for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
                for (int i = 0; i < 4; ++i) accumulated[strip][tile][i] = 0;

        for (int run = share; run < Held::RUNS; run += SHARES)
#pragma unroll
            for (int stage = 0; stage < Held::STAGES; ++stage) {
                const int begin = ((run * 4 + member) * Held::STAGES + stage) * Held::EIGHTS;
                const auto load_behind = [&](Part& behind) {
                    const int next = run + SHARES < Held::RUNS ? run + SHARES : share + WARPS;
                    if (next < Held::RUNS && (run + SHARES < Held::RUNS || next < SHARES))
                        matrix.load(behind, next, member, 0);
                    else
                        load_next(behind);
                };
                Part behind;
                if constexpr (AHEAD) load_behind(behind);
#pragma unroll
                for (int i = 0; i < Held::EIGHTS; ++i) {
                    uint4 others[TILES];
#pragma unroll
                    for (int tile = 0; tile < TILES; ++tile) {
                        const int row = row_of(tile);
                        if constexpr (LAYOUT == BY_ROWS) {
                            others[tile] = make_uint4(0, 0, 0, 0);
                            if (row >= 0 && (!RAGGED || begin + i < COLUMNS / 8))
                                others[tile] = input[size_t(row) * (COLUMNS / 8) + begin + i];
                        } else {
                            others[tile] = input[place_of_eight<LAYOUT, COLUMNS>(max(row, 0), begin + i, rows)];
                        }
                        if constexpr (LAYOUT != BY_RUNS_ORDERED) others[tile] = order_eight<BITS>(others[tile]);
                    }
#pragma unroll
                    for (int strip = 0; strip < STRIPS; ++strip) {
                        __align__(16) unsigned weights[2][4];  // eight of each row, two in a register
#pragma unroll
                        for (int half = 0; half < 2; ++half) Held::decode(part, strip, half, i, weights[half]);
#pragma unroll
                        for (int tile = 0; tile < TILES; ++tile) {
                            if (tile >= tiles) break;
                            float* sum = accumulated[strip][tile];
                            const uint4 x8 = others[tile];
                            multiply(sum, weights[0][0], weights[1][0], weights[0][1], weights[1][1], x8.x, x8.y);
                            multiply(sum, weights[0][2], weights[1][2], weights[0][3], weights[1][3], x8.z, x8.w);
                        }
                    }
                }
                if constexpr (AHEAD)
                    part = behind;
                else if (stage + 1 < Held::STAGES)
                    matrix.load(part, run, member, stage + 1);
                else
                    load_behind(part);
            }
#pragma unroll
        for (int strip = 0; strip < STRIPS; ++strip)
#pragma unroll
            for (int tile = 0; tile < TILES; ++tile)
#pragma unroll
                for (int i = 0; i < 4; ++i) {
                    float& sum = sums[warp][strip][tile][i * 32 + lane];
                    sum = share < WARPS ? accumulated[strip][tile][i] : sum + accumulated[strip][tile][i];
                }
    }
    __syncthreads();
}

template <
    int LAYOUT, bool ALONE, int BITS, int STRIPS, int GROUP, int COLUMNS, int WARPS, int TILES, typename Part,
    typename RowOf>
__device__ inline void accumulate(
    const Matrix<BITS, STRIPS, GROUP, COLUMNS>& matrix, Part& part, const uint4* input, int rows, int tiles,
    const RowOf& row_of, float (&sums)[WARPS][STRIPS][TILES][128]
) {
    accumulate<LAYOUT, ALONE>(matrix, part, input, rows, tiles, row_of, sums, [](Part& behind) { behind = {}; });
}

// A product from the sums of all shares, in the same order whatever WARPS is: a share and the fourth behind it, which one
// of four warps has added up already.
template <typename Held, int WARPS, int STRIPS, int TILES>
__device__ inline float total(const float (&sums)[WARPS][STRIPS][TILES][128], int strip, int tile, int within) {
    float sum = 0;
#pragma unroll
    for (int share = 0; share < 4 && share < WARPS; ++share) {
        float both = sums[share][strip][tile][within];
        if (share + 4 < WARPS) both += sums[share + 4][strip][tile][within];
        sum += both;
    }
    return sum * Held::GROWTH;
}

// Which row and output of a tile a place among its sums is.
__device__ inline int row_within(int within) { return within % 4 * 2 + within / 32 % 2; }
__device__ inline int output_within(int within) { return within % 32 / 4 + within / 64 * 8; }

}  // namespace affine
