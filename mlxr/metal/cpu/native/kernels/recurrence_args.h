// What the kernels of recurrent mixers are given.
#pragma once

#include <cstdint>

namespace mlxr {

/// A causal convolution of each channel by itself over the tokens of one sequence: y[t][c] is bias[c] plus the sum over
/// tap i of weight[i][c] * x[t - taps + 1 + i][c]. Tokens before the first are rows of `history`, the last one last.
struct ConvolutionArgs {
  const float* x;
  int64_t x_stride;
  const float* history;  // [taps - 1][history_stride]
  int64_t history_stride;
  const float* weight;  // [taps][weight_stride]
  int64_t weight_stride;
  const float* bias;  // null for none
  int taps;
  bool silu;  // of what comes out
  float* y;
  int64_t y_stride;
};

/// The recurrence of one head of a selective state space (Mamba-2, Dao and Gu 2024), whose state is
/// [state_size][head_dim]: h = decay[t] * h + b[t] (step[t] * x[t])^T, y[t] = skip * x[t] + c[t] h.
struct ScanArgs {
  const float* x;
  int64_t x_stride;
  const float* b;
  const float* c;
  int64_t bc_stride;
  const float* step;
  const float* decay;
  float skip;
  int head_dim;
  int state_size;
  float* state;
  float* y;
  int64_t y_stride;
};

}  // namespace mlxr
