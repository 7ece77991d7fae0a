// What an instruction set offers for float32 weights that are kept as words: 16-bit codes, with one scale for each row
// of weights and of activations.
//
// A row's codes are as fine as two limits let them be: none is greater than kLargestWord, and their Euclidean norm
// stays below kLargestNorm. By Cauchy and Schwarz the product of two such rows then fits 32 bits, however long they
// are. It is exact, even if sums on the way there wrap, and floats are touched once an output.
//
// Meant for encoders: they multiply many rows at once, and leave no cache that errors could gather in.
#pragma once

#include <cstdint>

namespace mlxr::kernels {

inline constexpr int kLargestWord = 16383;    // so that the sum of two fits a word
inline constexpr float kLargestNorm = 46000;  // a little below 2^15.5: rounding a code moves it by up to a half
inline constexpr int64_t kMostWordCols = 1 << 18;
inline constexpr double kRoundedNorm = double{kLargestNorm} * (1 + 1e-4) + 256;  // 256: half of kMostWordCols' root
static_assert(kRoundedNorm * kRoundedNorm < 2147483648.0);

// Beside a row's codes. `cross` is the sum of c0 c2 + c1 c3 over each four codes, modulo 2^32, where kernels ask for
// it.
struct WordRow {
  float scale;
  int32_t cross;
};

// Panels [begin, end) times `rows` activation rows. The kernels alone know how codes lie in a panel and in a row.
struct WordArgs {
  const int16_t* weights;  // [panels, cols * 16]
  const float* scales;     // [panels, 16]
  const int32_t* crosses;  // [panels, 16]
  int64_t features;        // output features of the whole matrix: the last panel may be partly empty
  int64_t cols;            // a multiple of 4
  int64_t begin, end;
  int64_t rows;
  const int16_t* x;       // [rows, cols]
  const WordRow* x_rows;  // [rows]
  const float* bias;      // [features], or null
  float* y;
  int64_t ldy;
};

struct WordKernels {
  void (*multiply)(const WordArgs&) = nullptr;  // null: the instruction set has none
  // One row to codes. A NaN or an infinity makes the row's scale one.
  WordRow (*quantize)(const float* x, int64_t cols, int16_t* codes) = nullptr;
  // A quantized row to lane `lane` of a panel, and a panel's lane back to plain codes.
  void (*place)(const int16_t* codes, int64_t cols, int64_t lane, int16_t* panel) = nullptr;
  void (*look_up)(const int16_t* panel, int64_t cols, int64_t lane, int16_t* codes) = nullptr;
  int64_t own_rows = 0;  // activation rows whose values through a layer fit a core's cache
  int64_t multiple = 4;  // of which cols must be one
};

#if defined(__x86_64__)
WordKernels avx2_words();
WordKernels avx512_words();
// None where the compiler, the CPU or the operating system lacks tiles.
WordKernels amx_words();
#endif

}  // namespace mlxr::kernels
