// Where numbers of rows lie that a product is to take.
//
// A warp's lanes take eights of 8 rows at once, from four places of a row that are 64 columns apart: by rows each lane's
// lie in a line of memory of their own, which makes a product of 8 rows wait for its input instead of its matrix. By runs
// of 256 columns they lie side by side; for codes of 4 bits in the order in which these come apart, too.
#pragma once

namespace affine {

enum Layout { BY_ROWS, BY_RUNS, BY_RUNS_ORDERED };

constexpr int RUN = 256;

// How rows are best laid out that products of COLUMNS take, all of 4 bits or not.
__host__ __device__ constexpr int best_layout(int columns, bool four_bits) {
    return columns % RUN ? BY_ROWS : four_bits ? BY_RUNS_ORDERED : BY_RUNS;
}

// Which eight of all `rows` the eight `at` of a row is.
template <int LAYOUT, int COLUMNS>
__device__ inline int place_of_eight(int row, int at, int rows) {
    if constexpr (LAYOUT == BY_ROWS) return row * (COLUMNS / 8) + at;
    return ((at / 32 * 8 + at % 8) * rows + row) * 4 + at / 8 % 4;
}

// Likewise of a number.
template <int LAYOUT, int COLUMNS>
__device__ inline int place_of(int row, int column, int rows) {
    if constexpr (LAYOUT == BY_ROWS) return row * COLUMNS + column;
    const int own = column % 8, within = LAYOUT == BY_RUNS_ORDERED ? own % 4 * 2 + own / 4 : own;
    return place_of_eight<LAYOUT, COLUMNS>(row, column / 8, rows) * 8 + within;
}

}  // namespace affine
