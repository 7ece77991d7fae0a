// Floating weights times float32 activations, written once for every instruction set V (lanes_*.h).
//
// Each output element is one chain of fused multiply-adds over the input features in order, for one row or many. A
// chain alone would wait for itself, so one row works on several panels at a time, and many rows share a run of weights
// that is widened to float32 once.
#pragma once

#include "kernels/matmul_args.h"
#include "kernels/panels.h"
#include "quant/packed_layout.h"

namespace mlxr::kernels {

template <class V, Type kType>
struct FloatingMatmul {
  using Floats = typename V::Floats;
  static constexpr bool kScaled = packed::layout(kType).scales == packed::Scales::Span;
  static constexpr int64_t kRun = 256;   // input features widened at a time: 16 KiB, half of a first-level cache
  static constexpr int64_t kChunk = 32;  // activation rows that a widened run serves

  // Sixteen unscaled weights of input feature `col`. E4M3 come as 1/256 of their value.
  [[gnu::always_inline]] static Floats weights(const uint8_t* codes, const float* map, int64_t col) {
    if constexpr (kType == Type::F32) return V::load(reinterpret_cast<const float*>(codes) + col * kLanes);
    if constexpr (kType == Type::F16) return V::load_half(codes + col * 2 * kLanes);
    if constexpr (kType == Type::BF16) return V::load_bfloat(codes + col * 2 * kLanes);
    if constexpr (kType == Type::FP8_E4M3) return V::load_e4m3(codes + col * kLanes);
    if constexpr (kType == Type::NF4) {
      const uint8_t* pair = codes + col / 2 * kLanes;
      return col % 2 ? V::template table16<4>(map, pair) : V::template table16<0>(map, pair);
    }
  }

  static const uint8_t* panel_codes(const MatmulArgs& a, int64_t panel) {
    return a.codes + static_cast<size_t>(panel) * a.panel_code_bytes;
  }

  // What a panel's weights of input feature `col` are multiplied with.
  static Floats scale(const MatmulArgs& a, int64_t panel, int64_t col) {
    if constexpr (!kScaled) return V::zero();
    const uint8_t* scales = a.scales + static_cast<size_t>(panel) * a.panel_scale_bytes;
    const Floats s = V::load(reinterpret_cast<const float*>(scales) + col / a.scale_span * kLanes);
    return kType == Type::FP8_E4M3 ? V::mul(s, V::splat(256.0f)) : s;
  }

  // End of the stretch from `first` on that shares a scale.
  static int64_t span_end(const MatmulArgs& a, int64_t first, int64_t end) {
    if constexpr (!kScaled) return end;
    const int64_t limit = (first / a.scale_span + 1) * a.scale_span;
    return limit < end ? limit : end;
  }

  // One activation row and P panels.
  template <int P>
  static void one_row(const MatmulArgs& a, int64_t panel, int64_t row) {
    const float* x = a.x_floats + row * a.cols;
    const uint8_t* codes = panel_codes(a, panel);
    const size_t stride = a.panel_code_bytes;
    Floats sums[P];
    for (int p = 0; p < P; ++p) sums[p] = V::zero();
    for (int64_t col = 0; col < a.cols;) {
      Floats s[P];
      for (int p = 0; p < P; ++p) s[p] = scale(a, panel + p, col);
      for (const int64_t end = span_end(a, col, a.cols); col < end; ++col) {
        const Floats value = V::splat(x[col]);
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
          const Floats w = weights(codes + static_cast<size_t>(p) * stride, a.map, col);
          sums[p] = V::fma(kScaled ? V::mul(w, s[p]) : w, value, sums[p]);
        }
      }
    }
    for (int p = 0; p < P; ++p) store_panel<V>(a, panel + p, row, sums[p]);
  }

  static void widen(const MatmulArgs& a, int64_t panel, int64_t begin, int64_t end, float* out) {
    const uint8_t* codes = panel_codes(a, panel);
    for (int64_t col = begin; col < end;) {
      const Floats s = scale(a, panel, col);
      for (const int64_t last = span_end(a, col, end); col < last; ++col, out += kLanes) {
        const Floats w = weights(codes, a.map, col);
        V::store(out, kScaled ? V::mul(w, s) : w);
      }
    }
  }

  // R rows times `count` widened input features.
  template <int R>
  [[gnu::always_inline]] static void tile(const float* w, int64_t count, const float* x, int64_t ldx, Floats* out) {
    Floats sums[R];
    for (int r = 0; r < R; ++r) sums[r] = out[r];
    for (int64_t i = 0; i < count; ++i, ++x, w += kLanes) {
      const Floats weight = V::load(w);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) sums[r] = V::fma(weight, V::splat(x[r * ldx]), sums[r]);
    }
    for (int r = 0; r < R; ++r) out[r] = sums[r];
  }

  static void many_rows(const MatmulArgs& a, int64_t panel, int64_t first, int64_t last) {
    alignas(64) float widened[kRun * kLanes];
    Floats sums[kChunk];
    for (Floats& sum : sums) sum = V::zero();
    for (int64_t begin = 0; begin < a.cols; begin += kRun) {
      const int64_t end = begin + kRun < a.cols ? begin + kRun : a.cols;
      widen(a, panel, begin, end, widened);
      const float* x = a.x_floats + begin;
      int64_t row = first;
      for (; row + V::kFloatRows <= last; row += V::kFloatRows) {
        tile<V::kFloatRows>(widened, end - begin, x + row * a.cols, a.cols, sums + (row - first));
      }
      for (; row + 2 <= last; row += 2) tile<2>(widened, end - begin, x + row * a.cols, a.cols, sums + (row - first));
      for (; row < last; ++row) tile<1>(widened, end - begin, x + row * a.cols, a.cols, sums + (row - first));
    }
    for (int64_t row = first; row < last; ++row) store_panel<V>(a, panel, row, sums[row - first]);
  }

  static void run(const MatmulArgs& a) {
    for (int64_t first = 0; first < a.rows; first += kChunk) {
      const int64_t last = first + kChunk < a.rows ? first + kChunk : a.rows;
      int64_t panel = a.begin;
      if (last - first == 1) {
        for (; panel + kFloatPanels <= a.end; panel += kFloatPanels) one_row<kFloatPanels>(a, panel, first);
        for (; panel < a.end; ++panel) one_row<1>(a, panel, first);
      } else {
        for (; panel < a.end; ++panel) many_rows(a, panel, first, last);
      }
    }
  }
};

}  // namespace mlxr::kernels
