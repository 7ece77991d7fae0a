// Products with the two thin matrices of a low-rank adapter, in float32.
//
// Both are kept in panels of kLanes columns side by side, so that a lane is one output. Every output is summed over its
// inputs one by one, in their order, whatever rows are computed together: a row gives the same bits in any company.
#pragma once

#include <cstdint>

#include "base/constants.h"
#include "kernels/low_rank_args.h"

namespace mlxr::kernels {

template <class V>
struct LowRankKernels {
  using F = typename V::Register;
  static constexpr int kWidth = V::kWidth;
  static constexpr int kVectors = kLanes / kWidth;  // of a panel

  /// R rows times N vectors of columns. `w[n]`: column vector n of the first input; the next input is kLanes on.
  template <int R, int N>
  [[gnu::always_inline]] static void tile(const float* const* x, const float* const* w, int64_t count, F (*sums)[N]) {
    for (int64_t i = 0; i < count; ++i) {
      F weights[N];
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) weights[n] = V::load(w[n] + i * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const F value = V::splat(x[r][i]);
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sums[r][n] = V::fma(weights[n], value, sums[r][n]);
      }
    }
  }

  static const float* vector_of(const float* const* panels, int64_t vector) {
    return panels[vector / kVectors] + vector % kVectors * kWidth;
  }

  template <int R, int N>
  static void down_tile(const LowRankDown& a, int row, int64_t vector) {
    const float* w[N];
    F sums[R][N];
    for (int n = 0; n < N; ++n) w[n] = vector_of(a.panels, vector + n);
    for (int r = 0; r < R; ++r) {
      for (int n = 0; n < N; ++n) sums[r][n] = V::zero();
    }
    tile<R, N>(a.x + row, w, a.cols, sums);
    for (int n = 0; n < N; ++n) {
      const int64_t panel = (vector + n) / kVectors;
      const F scale = V::splat(a.scales[panel]);
      const int64_t at = panel * kLanes + (vector + n) % kVectors * kWidth;
      for (int r = 0; r < R; ++r) V::store(a.z[row + r] + at, V::mul(sums[r][n], scale));
    }
  }

  template <int R>
  static void down_rows(const LowRankDown& a, int row) {
    const int64_t vectors = int64_t{a.count} * kVectors;
    int64_t v = 0;
    if constexpr (R <= 4) {
      for (; v + 3 <= vectors; v += 3) down_tile<R, 3>(a, row, v);
    }
    for (; v < vectors; ++v) down_tile<R, 1>(a, row, v);
  }

  /// z = scale * x times the panels.
  static void down(const LowRankDown& a) {
    int row = 0;
    if (int64_t{a.count} * kVectors < 3) {
      for (; row + 8 <= a.rows; row += 8) down_rows<8>(a, row);
    }
    for (; row + 4 <= a.rows; row += 4) down_rows<4>(a, row);
    for (; row + 2 <= a.rows; row += 2) down_rows<2>(a, row);
    for (; row < a.rows; ++row) down_rows<1>(a, row);
  }

  template <int R, int N>
  static void up_tile(const LowRankUp& a, int row, int64_t vector) {
    const float* w[N];
    F sums[R][N];
    for (int n = 0; n < N; ++n) {
      w[n] = a.panels + (vector + n) / kVectors * a.rank * kLanes + (vector + n) % kVectors * kWidth;
      for (int r = 0; r < R; ++r) sums[r][n] = V::load(a.y[row + r] + (vector + n) * kWidth);
    }
    tile<R, N>(a.z + row, w, a.rank, sums);
    for (int n = 0; n < N; ++n) {
      for (int r = 0; r < R; ++r) V::store(a.y[row + r] + (vector + n) * kWidth, sums[r][n]);
    }
  }

  /// The last outputs, fewer than a vector.
  static void up_tail(const LowRankUp& a, int row, int64_t vector) {
    const int64_t first = vector * kWidth;
    float last[kWidth] = {};
    for (int64_t i = first; i < a.outputs; ++i) last[i - first] = a.y[row][i];
    F sums[1][1] = {{V::load(last)}};
    const float* const w[1] = {a.panels + vector / kVectors * a.rank * kLanes + vector % kVectors * kWidth};
    tile<1, 1>(a.z + row, w, a.rank, sums);
    V::store(last, sums[0][0]);
    for (int64_t i = first; i < a.outputs; ++i) a.y[row][i] = last[i - first];
  }

  template <int R>
  static void up_rows(const LowRankUp& a, int row) {
    const int64_t vectors = a.outputs / kWidth;
    int64_t v = 0;
    for (; v + 3 <= vectors; v += 3) up_tile<R, 3>(a, row, v);
    for (; v < vectors; ++v) up_tile<R, 1>(a, row, v);
    if (vectors * kWidth < a.outputs) {
      for (int r = 0; r < R; ++r) up_tail(a, row + r, vectors);
    }
  }

  /// y += z times the panels.
  static void up(const LowRankUp& a) {
    int row = 0;
    for (; row + 4 <= a.rows; row += 4) up_rows<4>(a, row);
    for (; row + 2 <= a.rows; row += 2) up_rows<2>(a, row);
    for (; row < a.rows; ++row) up_rows<1>(a, row);
  }
};

}  // namespace mlxr::kernels
