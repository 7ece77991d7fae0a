// What matrix products take: a packed matrix, activations in the forms that kernels read, and where results go.
//
// Files compiled for one instruction set include no more than this and the templates, so that no shared inline function
// is ever compiled with instructions that another CPU lacks.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/constants.h"
#include "quant/formats.h"

namespace mlxr::kernels {

inline constexpr int kFloatPanels = 4;  // panels that one row of floating weights works on together
inline constexpr int kTypeCount = sizeof(kTypes) / sizeof(kTypes[0]);

// What an instruction set multiplies scales of 16 weights into, where several rows meet a block (integer_matmul.h).
enum class ScaledAs { Sums, Bytes, Int16 };

inline constexpr int kLargestActivation = 127 * 256 + 127;  // the largest magnitude that splits into two signed bytes

inline constexpr int kActivationSpan = 256;  // activations that share a scale where superblocks are summed up

// 32 activations of one row: 16-bit codes times a scale. All that a kernel reads of them lies side by side.
struct ScaledBlock {
  float scale;
  float scaled_sum;           // scale * sum of codes
  float scaled_half_sums[2];  // the same of the first and of the last 16
  int32_t bias;               // -128 * sum of codes, which takes the bias of 8-bit weights away
  int16_t high_sums[2];       // of codes, of the first and of the last 16: 256 * high + low
  int16_t low_sums[2];

  int32_t half_sum(int half) const { return 256 * high_sums[half] + low_sums[half]; }
};
// The codes whole, -kLargestActivation .. kLargestActivation, in the instruction set's own order (lanes_*.h).
struct Int16Block : ScaledBlock { int16_t codes[kBlock]; };
// The codes as 256 * high + low.
struct ByteBlock : ScaledBlock { int8_t high[kBlock], low[kBlock]; };
// The same with high bytes beside low ones: 8 and 8, four times.
struct PairedByteBlock : ScaledBlock { int8_t codes[2 * kBlock]; };
struct Int16AndByteBlock : Int16Block { int8_t high[kBlock], low[kBlock]; };

// Panels [begin, end) of a packed matrix times `rows` activation rows.
struct MatmulArgs {
  const uint8_t* codes;
  const uint8_t* scales;
  size_t panel_code_bytes;
  size_t panel_scale_bytes;
  int64_t features;  // output features of the whole matrix: the last panel may be partly empty
  int64_t cols;
  int64_t scale_span;    // floating types: input features that share a scale
  const float* map;      // NF4
  const uint8_t* table;  // types whose codes are indices: 16 bytes, each with its bias added
  int64_t begin, end;

  int64_t rows;
  bool alone;             // there is one row, quantized to be multiplied alone
  const void* x_blocks;   // [rows, cols / 32] blocks as `quantize` makes them, or with one row `quantize_single_row`
  const float* x_floats;  // [rows, cols]

  float* y;
  int64_t ldy;
};

using Matmul = void (*)(const MatmulArgs&);
// Quantizes a row into cols / 32 blocks.
struct Quantize {
  void (*run)(const float* x, int64_t cols, void* blocks);
  size_t block_bytes;
};

}  // namespace mlxr::kernels
