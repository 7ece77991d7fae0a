// What kernels of low-rank adapters are given. Weights are floats or half-precision floats.
#pragma once

#include <cstdint>

namespace mlxr {

/// Rows times the `down` matrices of some adapters: z[r][p * kLanes + lane] = scales[p] * sum x[r][i]
/// panels[p][i][lane]
struct LowRankDown {
  const float* const* x;  // [rows] rows of `cols` numbers
  float* const* z;        // [rows] rows of `count` * kLanes numbers
  int rows;
  int64_t cols;
  const void* const* panels;  // [count] panels, [cols][kLanes] each
  bool half;
  const float* scales;  // [count]
  int count;
};

/// What one `up` matrix adds: y[r][o] += sum z[r][j] up[o][j]
struct LowRankUp {
  const float* const* z;  // [rows] rows of `rank` numbers
  float* const* y;        // [rows] rows of `outputs` numbers
  int rows;
  int64_t rank;
  const void* panels;  // [outputs / kLanes, rounded up][rank][kLanes]
  bool half;
  int64_t outputs;
};

}  // namespace mlxr
