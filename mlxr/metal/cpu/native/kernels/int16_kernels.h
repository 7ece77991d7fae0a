// What an instruction set offers for float32 weights that are kept as 16-bit codes, with one scale for each row
// of weights and of activations.
//
// A row's codes are as fine as two limits let them be: none is greater than kLargestInt16Code, and their Euclidean norm
// stays below kLargestNorm. By Cauchy and Schwarz the product of two such rows then fits 32 bits, however long they
// are. It is exact, even if sums on the way there wrap, and floats are touched once an output.
//
// Meant for encoders: they multiply many rows at once, and leave no cache that errors could gather in.
#pragma once

#include <cstdint>

namespace mlxr::kernels {

inline constexpr int kLargestInt16Code = 16383;  // so that the sum of two fits 16 bits
inline constexpr float kLargestNorm = 46000;     // a little below 2^15.5: rounding a code moves it by up to a half
inline constexpr int64_t kMostInt16Cols = 1 << 18;
inline constexpr double kRoundedNorm = double{kLargestNorm} * (1 + 1e-4) + 256;  // 256: half of kMostInt16Cols' root
static_assert(kRoundedNorm * kRoundedNorm < 2147483648.0);

// Beside a row's codes. `correction` is the sum of c0 c2 + c1 c3 over each four codes, modulo 2^32, where kernels ask
// for it.
struct Int16Row {
  float scale;
  int32_t correction;
};

// Panels [begin, end) times `rows` activation rows. The kernels alone know how codes lie in a panel and in a row.
struct Int16Args {
  const int16_t* weights;      // [panels, cols * 16]
  const float* scales;         // [panels, 16]
  const int32_t* corrections;  // [panels, 16]
  int64_t features;            // output features of the whole matrix: the last panel may be partly empty
  int64_t cols;                // a multiple of 4
  int64_t begin, end;
  int64_t rows;
  const int16_t* x;        // [rows, cols]
  const Int16Row* x_rows;  // [rows]
  const float* bias;       // [features], or null
  float* y;
  int64_t ldy;
};

struct Int16Kernels {
  void (*multiply)(const Int16Args&) = nullptr;  // null: the instruction set has none
  // One row to codes. A NaN or an infinity makes the row's scale one.
  Int16Row (*quantize)(const float* x, int64_t cols, int16_t* codes) = nullptr;
  // A quantized row to lane `lane` of a panel, and a panel's lane back to plain codes.
  void (*pack_row)(const int16_t* codes, int64_t cols, int64_t lane, int16_t* panel) = nullptr;
  void (*unpack_row)(const int16_t* panel, int64_t cols, int64_t lane, int16_t* codes) = nullptr;
  int64_t rows_per_thread = 0;  // activation rows whose values through a layer fit a core's cache
  int64_t cols_multiple = 4;    // of which cols must be one
};

#if defined(__x86_64__)
// Functions that use AMX tiles, in place of those of AVX-512; none where the compiler lacks them.
Int16Kernels amx_int16();
#endif

}  // namespace mlxr::kernels
