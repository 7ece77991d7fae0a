// Products of a layer, each by all blocks of a grid: strips are dealt out to blocks by turns.
#pragma once

namespace decoder_layer {

constexpr int WARPS = 8;

// Of a matrix; no OUTPUTS stand for none.
template <int BITS_, int GROUP_, int OUTPUTS_, int COLUMNS_, bool BIASED_>
struct MatrixShape {
    static constexpr int BITS = BITS_, GROUP = GROUP_, OUTPUTS = OUTPUTS_, COLUMNS = COLUMNS_;
    static constexpr bool BIASED = BIASED_;
    static constexpr int BIASES = BIASED ? OUTPUTS : 0, POINTERS = OUTPUTS ? 3 : 0;
};

// Sums of strips: those of one item while the next one's are made.
template <int STRIPS, int TILES>
struct Sums {
    float of[2][WARPS][STRIPS][TILES][128];
};

// What this block computes of one product, of rows that lie by INPUT. OUTPUT: how gated ones are to.
template <
    typename S, int ROWS, int STRIPS, int EPILOGUE, int ACTIVATION, int INPUT, int OUTPUT = affine::BY_ROWS>
struct Product {
    using Held = affine::Matrix<S::BITS, STRIPS, S::GROUP, S::COLUMNS>;
    static constexpr int TILES = (ROWS + 7) / 8, ITEMS = S::OUTPUTS / (affine::STRIP * STRIPS);
    static_assert(S::OUTPUTS % (affine::STRIP * STRIPS) == 0);

    const void* packed;
    const __half* scales;
    const __half* biases;
    typename Held::Part part;

    __device__ inline explicit Product(const void* const* from)
        : packed(from[0]), scales((const __half*)from[1]), biases((const __half*)from[2]) {}

    __device__ inline Held held(int item) const {
        return affine::strips_of<S::BITS, S::GROUP, S::COLUMNS, STRIPS, EPILOGUE>(packed, scales, biases, item, S::OUTPUTS);
    }

    // Loads the first part of this block's first item, before anybody knows what it is multiplied with. What is not loaded
    // is set: else ptxas would keep registers for it from the kernel's begin on.
    __device__ inline void begin(int item) {
        const int warp = threadIdx.x / 32;
        if (item < ITEMS && warp < Held::RUNS)
            held(item).load(part, warp, threadIdx.x % 4, 0);
        else
            part = {};
    }

    // The product's items from this block's first on, whose first part has begun to load.
    template <typename Out>
    __device__ inline void run(
        int item, const uint4* input, int rows, const float* bias, float gain, const float* residual, Out* out,
        Sums<STRIPS, TILES>& sums, int turn = 0
    ) {
        const int warp = threadIdx.x / 32, quad = threadIdx.x % 32 / 4, member = threadIdx.x % 4;
        const auto row_of = [&](int tile) { return tile * 8 + quad < rows ? tile * 8 + quad : -1; };
        for (; item < ITEMS; item += gridDim.x, turn ^= 1) {
            const int next = item + gridDim.x;
            const auto load_next = [&](auto& behind) {
                if (next < ITEMS)
                    held(next).load(behind, warp, member, 0);
                else
                    behind = {};
            };
            affine::accumulate<INPUT, ROWS == 1>(held(item), part, input, rows, TILES, row_of, sums.of[turn], load_next);
            affine::finish<Held, S::OUTPUTS, S::BIASED, EPILOGUE, ACTIVATION, OUTPUT>(
                sums.of[turn], item, rows, bias, gain, residual, out
            );
        }
    }
};

}  // namespace decoder_layer
