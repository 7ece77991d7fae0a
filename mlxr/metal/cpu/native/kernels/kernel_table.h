// The kernels of one instruction set: functions over plain data.
//
// A file that is compiled for one instruction set includes no more than the arguments and the templates, so that no
// shared inline function is ever compiled with instructions that another CPU lacks.
#pragma once

#include <array>
#include <cstdint>

#include "base/isa.h"
#include "kernels/attention_args.h"
#include "kernels/delta_rule_args.h"
#include "kernels/int16_kernels.h"
#include "kernels/low_rank_args.h"
#include "kernels/matmul_args.h"
#include "kernels/recurrence_args.h"

namespace mlxr {

enum class Nonlinearity : uint8_t { Silu, GeluTanh, Gelu, SwigluOai, ReluSquared, Sigmoid };

struct KernelTable {
  void (*rms_norm)(const float* x, const float* weight, int n, float eps, float* y);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, int n, float eps, float* y);
  /// y += x
  void (*add)(const float* x, int64_t n, float* y);
  void (*scale)(float factor, int64_t n, float* y);
  /// y = cap * tanh(y / cap)
  void (*softcap)(float cap, int64_t n, float* y);
  /// up = f(gate) * up, or f(up) without a gate.
  void (*activate)(Nonlinearity kind, const float* gate, int64_t n, float* up);
  /// Float32 to half, values beyond half's range held at its ends: an infinity times a masked weight of 0 would be NaN.
  void (*to_half)(const float* x, int64_t n, uint16_t* y);
  /// Float32 to codes of 8 bits, 128 more than they stand for, and a half-precision scale for each `block` numbers: the
  /// largest magnitude divided by 127, held within half's range. A NaN makes its block's scale one.
  void (*to_codes)(const float* x, int n, int block, uint8_t* codes, uint16_t* scales);
  /// Turn pairs of x[2 * half] by angles given as cosines and sines: (i, i + half), or neighbours (2i, 2i + 1).
  void (*rotate_halves)(const float* cosines, const float* sines, int half, float* x);
  void (*rotate_pairs)(const float* cosines, const float* sines, int half, float* x);

  /// Attention of `queries` to groups [begin, end) of one partition; writes `out` whole. `scratch`: rows * 64
  /// floats, and behind them rows * query_code_floats where keys are codes.
  void (*attend)(const PagedKeys& keys, const QueryRows& queries, int begin, int end, float* scratch,
                 const Partial& out);
  /// Likewise to keys in rows of `head_dim` numbers, whole groups of 16, of which the first `columns` are the values.
  /// `scratch`: rows * 64 floats, and latent_block_floats where they are codes.
  void (*attend_latent)(const PagedKeys& keys, const QueryRows& queries, int begin, int end, int columns,
                        float* scratch, const Partial& out);
  /// Adds a later partition to an earlier one.
  void (*merge)(const Partial& part, int rows, int value_stride, const Partial& into);

  /// Products with the two matrices of low-rank adapters.
  void (*low_rank_down)(const LowRankDown& args);
  void (*low_rank_up)(const LowRankUp& args);
  /// y *= x
  void (*multiply)(const float* x, int64_t n, float* y);
  /// Of channels [0, channels); every pointer is to the first of them.
  void (*convolve)(const ConvolutionArgs& args, int64_t tokens, int64_t channels);
  void (*scan)(const ScanArgs& args, int64_t tokens);

  /// Changes `state` and writes `out` for `tokens` (at least one).
  void (*delta_rule)(const DeltaRuleArgs& args, int64_t tokens);

  /// Index of the first maximum; -1 where there is a NaN.
  int64_t (*argmax)(const float* x, int64_t n);
  /// Sum of exp((x - shift) * factor).
  double (*exp_sum)(const float* x, int64_t n, float shift, float factor);
  /// Writes the indices of all x > above, ascending; returns how many. `ids` has room for n.
  int64_t (*indices_above)(const float* x, int64_t n, float above, int32_t* ids);

  /// What bounds all others: reads whole lines; makes products of codes alone, and returns how many.
  void (*read)(const uint8_t* p, int64_t n);
  int64_t (*products)(int64_t rounds);

  /// Products with packed matrices, a function for each storage type.
  std::array<kernels::Matmul, kernels::kTypeCount> matmul;
  /// Activations to the blocks that `matmul` reads: rows that are multiplied together, and a single row.
  kernels::Quantize quantize;
  kernels::Quantize quantize_single_row;
  /// Likewise for products that sum up whole superblocks; no function where the instruction set has none.
  kernels::Quantize quantize_superblocks;
  /// Products of 16-bit codes; without functions where the instruction set has none.
  kernels::Int16Kernels int16;
};

/// The table of `isa`, which must be one of usable_isas().
const KernelTable& kernel_table(Isa isa);

}  // namespace mlxr
