// The table of one instruction set, filled from the templates above it; included by one source file per set.
#pragma once

#include "kernels/attention_kernels.h"
#include "kernels/reduction_kernels.h"
#include "kernels/row_kernels.h"

namespace mlxr::MLXR_SIMD {

/// A constant expression: nothing of this set may run before the CPU was asked.
constexpr BlockKernels table() {
  return {
      .rms_norm = rms_norm,
      .layer_norm = layer_norm,
      .add = add_rows,
      .scale = scale,
      .softcap = softcap,
      .activate = activate,
      .to_half = to_half,
      .rotate_halves = rotate_halves,
      .rotate_pairs = rotate_pairs,
      .attend = attend,
      .merge = merge,
      .argmax = argmax,
      .exp_sum = exp_sum,
      .collect = collect,
  };
}

}  // namespace mlxr::MLXR_SIMD
