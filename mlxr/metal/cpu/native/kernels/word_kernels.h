// What an instruction set offers for float32 weights that are kept as words: 13-bit codes that meet 13-bit activations.
//
// Both factors of up to 4095 let 128 products add up in 32 bits, exactly, so that floats are touched once in 128 input
// features. Meant for encoders: they multiply many rows at once, and leave no cache that errors could gather in.
#pragma once

#include <cstdint>

namespace mlxr::kernels {

inline constexpr int kWordSpan = 128;  // input features that share an activation scale; the last span may be shorter
inline constexpr int kLargestWord = 4095;
static_assert(int64_t{kLargestWord} * kLargestWord * kWordSpan < INT32_MAX);

constexpr int64_t word_spans(int64_t cols) { return (cols + kWordSpan - 1) / kWordSpan; }

// Panels [begin, end) times `rows` activation rows. Codes of a panel: for every two input features 16 pairs, one a lane.
struct WordArgs {
  const int16_t* weights;  // [panels, cols / 2, 16, 2]
  const float* scales;     // [panels, 16]
  int64_t features;        // output features of the whole matrix: the last panel may be partly empty
  int64_t cols;            // even
  int64_t begin, end;
  int64_t rows;
  const int16_t* x;       // [rows, cols]
  const float* x_scales;  // [rows, spans]
  float* y;
  int64_t ldy;
};

struct WordKernels {
  void (*multiply)(const WordArgs&) = nullptr;  // null: the instruction set has none
  // One row to codes and the scales of its spans. A NaN or an infinity makes its span's scale one.
  void (*quantize)(const float* x, int64_t cols, int16_t* codes, float* scales) = nullptr;
};

#if defined(__x86_64__)
WordKernels avx2_words();
WordKernels avx512_words();
#endif

}  // namespace mlxr::kernels
