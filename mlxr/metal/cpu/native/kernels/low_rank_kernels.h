// Products of float32 rows with the two thin matrices of a low-rank adapter.
//
// Both are kept in panels of kLanes columns side by side, so that a lane is one output. Every output is summed over its
// inputs one by one, in their order, whatever rows are computed together: a row gives the same bits in any company.
#pragma once

#include <cstdint>

#include "base/constants.h"
#include "kernels/low_rank_args.h"

namespace mlxr::kernels {

/// `W`: how weights are kept, float or, as uint16_t, half precision.
template <class V, class W>
struct LowRankProduct {
  using F = typename V::Register;
  static constexpr int kWidth = V::kWidth;
  static constexpr int kVectors = kLanes / kWidth;  // of a panel

  static F load(const float* p) { return V::load(p); }
  static F load(const uint16_t* p) { return V::load_half(p); }

  /// R rows times N vectors of columns, from what `begin(r, n)` gives; `end(r, n, sum)` takes the sums. `w[n]`: column
  /// vector n of the first input; the next input is kLanes on. All loops but one are unrolled, so that sums stay in
  /// registers.
  template <int R, int N, class Begin, class End>
  [[gnu::always_inline]] static void tile(const float* const* x, const W* const* w, int64_t count, Begin begin,
                                          End end) {
    F sums[R][N];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) sums[r][n] = begin(r, n);
    }
    const float* rows[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) rows[r] = x[r];
    for (int64_t i = 0; i < count; ++i) {
      F weights[N];
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) weights[n] = load(w[n] + i * kLanes);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const F value = V::splat(rows[r][i]);
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sums[r][n] = V::fma(weights[n], value, sums[r][n]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int n = 0; n < N; ++n) end(r, n, sums[r][n]);
    }
  }

  template <int R, int N>
  static void down_tile(const LowRankDown& a, int row, int64_t vector) {
    const W* w[N];
    for (int n = 0; n < N; ++n) {
      w[n] = static_cast<const W*>(a.panels[(vector + n) / kVectors]) + (vector + n) % kVectors * kWidth;
    }
    tile<R, N>(
        a.x + row, w, a.cols, [](int, int) { return V::zero(); },
        [&](int r, int n, F sum) {
          const int64_t panel = (vector + n) / kVectors;
          V::store(a.z[row + r] + panel * kLanes + (vector + n) % kVectors * kWidth,
                   V::mul(sum, V::splat(a.scales[panel])));
        });
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

  static void down(const LowRankDown& a) {
    int row = 0;
    if (int64_t{a.count} * kVectors < 3) {
      for (; row + 8 <= a.rows; row += 8) down_rows<8>(a, row);
    }
    for (; row + 4 <= a.rows; row += 4) down_rows<4>(a, row);
    for (; row + 2 <= a.rows; row += 2) down_rows<2>(a, row);
    for (; row < a.rows; ++row) down_rows<1>(a, row);
  }

  static const W* up_vector(const LowRankUp& a, int64_t vector) {
    const W* panels = static_cast<const W*>(a.panels);
    return panels + vector / kVectors * a.rank * kLanes + vector % kVectors * kWidth;
  }

  template <int R, int N>
  static void up_tile(const LowRankUp& a, int row, int64_t vector) {
    const W* w[N];
    for (int n = 0; n < N; ++n) w[n] = up_vector(a, vector + n);
    tile<R, N>(
        a.z + row, w, a.rank, [&](int r, int n) { return V::load(a.y[row + r] + (vector + n) * kWidth); },
        [&](int r, int n, F sum) { V::store(a.y[row + r] + (vector + n) * kWidth, sum); });
  }

  /// The last outputs, fewer than a vector.
  static void up_tail(const LowRankUp& a, int row, int64_t vector) {
    const int64_t first = vector * kWidth;
    float last[kWidth] = {};
    for (int64_t i = first; i < a.outputs; ++i) last[i - first] = a.y[row][i];
    const W* const w[1] = {up_vector(a, vector)};
    tile<1, 1>(
        a.z + row, w, a.rank, [&](int, int) { return V::load(last); }, [&](int, int, F sum) { V::store(last, sum); });
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

  static void up(const LowRankUp& a) {
    int row = 0;
    for (; row + 4 <= a.rows; row += 4) up_rows<4>(a, row);
    for (; row + 2 <= a.rows; row += 2) up_rows<2>(a, row);
    for (; row < a.rows; ++row) up_rows<1>(a, row);
  }
};

template <class V>
struct LowRankKernels {
  static void down(const LowRankDown& a) {
    a.half ? LowRankProduct<V, uint16_t>::down(a) : LowRankProduct<V, float>::down(a);
  }
  static void up(const LowRankUp& a) { a.half ? LowRankProduct<V, uint16_t>::up(a) : LowRankProduct<V, float>::up(a); }
};

}  // namespace mlxr::kernels
