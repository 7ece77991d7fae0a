// The table of one instruction set, filled from the kernels' templates; included by one source file a set.
#pragma once

#include <array>
#include <utility>

#include "kernels/attention_kernels.h"
#include "kernels/code_attention.h"
#include "kernels/delta_rule_kernels.h"
#include "kernels/floating_matmul.h"
#include "kernels/integer_matmul.h"
#include "kernels/kernel_table.h"
#include "kernels/latent_kernels.h"
#include "kernels/limit_kernels.h"
#include "kernels/low_rank_kernels.h"
#include "kernels/quantize.h"
#include "kernels/recurrence_kernels.h"
#include "kernels/reduction_kernels.h"
#include "kernels/row_kernels.h"
#include "kernels/scaled_int16_matmul.h"

namespace mlxr::kernels {

template <class Lanes, int kIndex>
constexpr Matmul matmul_of() {
  constexpr Type kType = kTypes[kIndex].type;
  if constexpr (is_floating(kType)) {
    return FloatingMatmul<Lanes, kType>::run;
  } else if constexpr (Lanes::kScaledAs == ScaledAs::Bytes && packed::has_integer_scales(kType) &&
                       !packed::scaled_fits_byte(kType)) {
    return ScaledInt16Matmul<Lanes, kType>::run;
  } else {
    return IntegerMatmul<Lanes, kType>::run;
  }
}

// Every storage type's product, by its index.
template <class Lanes>
constexpr std::array<Matmul, kTypeCount> matmul_functions() {
  return []<int... kIndices>(std::integer_sequence<int, kIndices...>) {
    return std::array<Matmul, kTypeCount>{matmul_of<Lanes, kIndices>()...};
  }(std::make_integer_sequence<int, kTypeCount>());
}

// A constant expression, if its arguments are: nothing of a set may run before the CPU was asked. `Vector` is of simd/,
// `Lanes` of kernels/lanes_*.h.
template <class Vector, class Lanes>
constexpr KernelTable make_table(const std::array<Matmul, kTypeCount>& matmul, const Int16Kernels& int16 = {}) {
  using Rows = RowKernels<Vector>;
  using Attention = AttentionKernels<Vector>;
  using Recurrence = RecurrenceKernels<Vector>;
  using Reductions = ReductionKernels<Vector>;
  using LowRank = LowRankKernels<Vector>;
  return {
      .rms_norm = Rows::rms_norm,
      .layer_norm = Rows::layer_norm,
      .add = Rows::add_rows,
      .scale = Rows::scale,
      .softcap = Rows::softcap,
      .activate = Rows::activate,
      .to_half = Rows::to_half,
      .to_codes = Rows::to_codes,
      .rotate_halves = Rows::rotate_halves,
      .rotate_pairs = Rows::rotate_pairs,
      .attend = CodeAttention<Vector, Lanes>::attend,
      .attend_latent = LatentKernels<Vector>::attend,
      .merge = Attention::merge,
      .low_rank_down = LowRank::down,
      .low_rank_up = LowRank::up,
      .multiply = Recurrence::multiply,
      .convolve = Recurrence::convolve,
      .scan = Recurrence::scan,
      .delta_rule = DeltaRuleKernels<Vector>::delta_rule,
      .argmax = Reductions::argmax,
      .exp_sum = Reductions::exp_sum,
      .indices_above = Reductions::indices_above,
      .read = LimitKernels<Lanes>::read,
      .products = LimitKernels<Lanes>::multiply,
      .matmul = matmul,
      .quantize = {quantize<Lanes, typename Lanes::Block>, sizeof(typename Lanes::Block)},
      .quantize_single_row = {quantize<Lanes, typename Lanes::SingleRowBlock>, sizeof(typename Lanes::SingleRowBlock)},
      .quantize_superblocks = {},
      .int16 = int16,
  };
}

}  // namespace mlxr::kernels
