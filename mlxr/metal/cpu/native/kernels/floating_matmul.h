// Floating weights times float32 activations, written once for every instruction set V (lanes_*.h).
//
// Even and odd input features are summed apart and added at the end, in the same order for one row or many. For many rows
// a run of weights is widened to float32 once and used by all of them.
#pragma once

#include "../packed_layout.h"
#include "matmul_kernels.h"
#include "panels.h"

namespace mlxr::kernels {

template <class V, Type kType>
struct FloatingMatmul {
  using Floats = typename V::Floats;
  static constexpr bool kScaled = kType == Type::FP8_E4M3 || kType == Type::NF4;
  static constexpr int64_t kRun = 256;  // input features widened at a time: 16 KiB, half of a first-level cache
  static constexpr int64_t kChunk = 32;  // activation rows that a widened run serves

  struct Sums {
    Floats even, odd;
  };

  // Sixteen unscaled weights of input feature `col`.
  template <int Parity>
  static Floats weights(const uint8_t* codes, const float* map, int64_t col) {
    if constexpr (kType == Type::F32) return V::load(reinterpret_cast<const float*>(codes) + col * kLanes);
    if constexpr (kType == Type::F16) return V::halves(codes + col * 2 * kLanes);
    if constexpr (kType == Type::BF16) return V::bfloats(codes + col * 2 * kLanes);
    if constexpr (kType == Type::FP8_E4M3) return V::e4m3(codes + col * kLanes);
    if constexpr (kType == Type::NF4) return V::template table16<4 * Parity>(map, codes + col / 2 * kLanes);
  }

  // What the weights from `span` on are multiplied with. E4M3 come as 1/256 of their value.
  static Floats scale(const uint8_t* scales, int64_t span) {
    const Floats s = V::load(reinterpret_cast<const float*>(scales) + span * kLanes);
    return kType == Type::FP8_E4M3 ? V::multiply(s, V::splat(256.0f)) : s;
  }

  // Calls body(weights, col) for the even, then the odd feature of every pair in [begin, end); begin is even.
  template <class Body>
  [[gnu::always_inline]] static void each(const MatmulArgs& a, int64_t panel, int64_t begin, int64_t end, Body body) {
    const uint8_t* codes = a.codes + static_cast<size_t>(panel) * a.panel_code_bytes;
    const uint8_t* scales = a.scales + static_cast<size_t>(panel) * a.panel_scale_bytes;
    int64_t col = begin;
    if constexpr (kScaled) {
      while (col < end) {
        const int64_t span = col / a.scale_span;
        const int64_t limit = (span + 1) * a.scale_span < end ? (span + 1) * a.scale_span : end;
        const Floats s = scale(scales, span);
        if (col % 2 == 1) {
          body.odd(V::multiply(weights<1>(codes, a.map, col), s), col);
          ++col;
        }
        for (; col + 1 < limit; col += 2) {
          V::prefetch(codes + col * kLanes / (kType == Type::NF4 ? 2 : 1) + V::kPrefetch);
          body.even(V::multiply(weights<0>(codes, a.map, col), s), col);
          body.odd(V::multiply(weights<1>(codes, a.map, col + 1), s), col + 1);
        }
        if (col < limit) {
          body.even(V::multiply(weights<0>(codes, a.map, col), s), col);
          ++col;
        }
      }
    } else {
      for (; col + 1 < end; col += 2) {
        body.even(weights<0>(codes, a.map, col), col);
        body.odd(weights<1>(codes, a.map, col + 1), col + 1);
      }
      if (col < end) body.even(weights<0>(codes, a.map, col), col);
    }
  }

  // One activation row: weights go from memory straight into the sums.
  struct OneRow {
    const float* x;
    Sums& sums;
    void even(Floats w, int64_t col) { sums.even = V::multiply_add(w, V::splat(x[col]), sums.even); }
    void odd(Floats w, int64_t col) { sums.odd = V::multiply_add(w, V::splat(x[col]), sums.odd); }
  };

  struct Widen {
    float* out;
    int64_t begin;
    void even(Floats w, int64_t col) { V::store(out + (col - begin) * kLanes, w); }
    void odd(Floats w, int64_t col) { V::store(out + (col - begin) * kLanes, w); }
  };

  static void one_row(const MatmulArgs& a, int64_t panel, int64_t row) {
    Sums sums{V::zero(), V::zero()};
    each(a, panel, 0, a.cols, OneRow{a.x_floats + row * a.cols, sums});
    store_panel<V>(a, panel, row, V::add(sums.even, sums.odd));
  }

  // R rows times `count` widened input features.
  template <int R>
  [[gnu::always_inline]] static void tile(const float* w, int64_t count, const float* x, int64_t ldx, Sums* out) {
    Sums sums[R];
    for (int r = 0; r < R; ++r) sums[r] = out[r];
    int64_t i = 0;
    for (; i + 1 < count; i += 2) {
      const Floats even = V::load(w + i * kLanes);
      const Floats odd = V::load(w + (i + 1) * kLanes);
      for (int r = 0; r < R; ++r) {
        sums[r].even = V::multiply_add(even, V::splat(x[r * ldx + i]), sums[r].even);
        sums[r].odd = V::multiply_add(odd, V::splat(x[r * ldx + i + 1]), sums[r].odd);
      }
    }
    if (i < count) {
      const Floats even = V::load(w + i * kLanes);
      for (int r = 0; r < R; ++r) sums[r].even = V::multiply_add(even, V::splat(x[r * ldx + i]), sums[r].even);
    }
    for (int r = 0; r < R; ++r) out[r] = sums[r];
  }

  static void many_rows(const MatmulArgs& a, int64_t panel, int64_t first, int64_t last) {
    alignas(64) float widened[kRun * kLanes];
    Sums sums[kChunk];
    for (Sums& sum : sums) sum = {V::zero(), V::zero()};
    for (int64_t begin = 0; begin < a.cols; begin += kRun) {
      const int64_t end = begin + kRun < a.cols ? begin + kRun : a.cols;
      each(a, panel, begin, end, Widen{widened, begin});
      int64_t row = first;
      for (; row + V::kFloatRows <= last; row += V::kFloatRows) {
        tile<V::kFloatRows>(widened, end - begin, a.x_floats + row * a.cols + begin, a.cols, sums + (row - first));
      }
      for (; row < last; ++row) tile<1>(widened, end - begin, a.x_floats + row * a.cols + begin, a.cols, sums + (row - first));
    }
    for (int64_t row = first; row < last; ++row) {
      store_panel<V>(a, panel, row, V::add(sums[row - first].even, sums[row - first].odd));
    }
  }

  static void run(const MatmulArgs& a) {
    for (int64_t first = 0; first < a.rows; first += kChunk) {
      const int64_t last = first + kChunk < a.rows ? first + kChunk : a.rows;
      for (int64_t panel = a.begin; panel < a.end; ++panel) {
        if (last - first == 1) {
          one_row(a, panel, first);
        } else {
          many_rows(a, panel, first, last);
        }
      }
    }
  }
};

}  // namespace mlxr::kernels
