// Words times words, written once for every instruction set V: lanes_*.h and one operation more.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

#include "word_kernels.h"

namespace mlxr::kernels {

template <class V>
struct WordMatmul {
  using Floats = typename V::Floats;
  using Ints = typename V::Ints;
  static constexpr int kLanes = 16;
  static constexpr int64_t kChunk = 60;  // activation rows that a span of weights serves; whole tiles of 4, 6 and 12

  static void quantize(const float* x, int64_t cols, int16_t* codes, float* scales) {
    for (int64_t begin = 0; begin < cols; begin += kWordSpan, ++scales) {
      const int64_t count = begin + kWordSpan < cols ? kWordSpan : cols - begin;
      int32_t bits = 0;
      for (int64_t i = 0; i < count; ++i) {
        int32_t value;
        std::memcpy(&value, x + begin + i, sizeof(value));
        value &= 0x7fffffff;
        bits = value > bits ? value : bits;
      }
      float largest;
      std::memcpy(&largest, &bits, sizeof(largest));
      const bool usable = largest >= 0x1p-100f && largest <= std::numeric_limits<float>::max();
      *scales = largest < 0x1p-100f ? 0.0f : largest / kLargestWord;
      const float inverse = usable ? kLargestWord / largest : 0.0f;
      V::round_words(x + begin, count, inverse, codes + begin);
    }
  }

  // One span of a panel times R rows.
  template <int R>
  [[gnu::always_inline]] static void tile(const int16_t* w, int64_t pairs, const int16_t* x, int64_t ldx, const float* scales,
                                          int64_t spans, Floats* sums) {
    Ints totals[R];
    for (int r = 0; r < R; ++r) totals[r] = V::no_products();
    for (int64_t i = 0; i < pairs; ++i, w += 2 * kLanes, x += 2) {
      const auto weights = V::words(w);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) V::add_products(weights, x + r * ldx, totals[r]);
    }
    for (int r = 0; r < R; ++r) sums[r] = V::multiply_add(V::splat(scales[r * spans]), V::to_floats(totals[r]), sums[r]);
  }

  static void panel(const WordArgs& a, int64_t panel, int64_t first, int64_t last) {
    const int64_t spans = word_spans(a.cols);
    const int16_t* weights = a.weights + panel * a.cols * kLanes;
    Floats sums[kChunk];
    for (Floats& sum : sums) sum = V::zero();
    for (int64_t span = 0; span < spans; ++span) {
      const int64_t begin = span * kWordSpan, pairs = (begin + kWordSpan < a.cols ? kWordSpan : a.cols - begin) / 2;
      const int16_t* w = weights + begin * kLanes;
      const auto at = [&](int64_t row) { return a.x + row * a.cols + begin; };
      int64_t row = first;
      for (; row + V::kWordRows <= last; row += V::kWordRows) {
        tile<V::kWordRows>(w, pairs, at(row), a.cols, a.x_scales + row * spans + span, spans, sums + (row - first));
      }
      for (; row + 2 <= last; row += 2) {
        tile<2>(w, pairs, at(row), a.cols, a.x_scales + row * spans + span, spans, sums + (row - first));
      }
      if (row < last) tile<1>(w, pairs, at(row), a.cols, a.x_scales + row * spans + span, spans, sums + (row - first));
    }
    const Floats scale = V::load(a.scales + panel * kLanes);
    const int64_t count = a.features - panel * kLanes < kLanes ? a.features - panel * kLanes : kLanes;
    for (int64_t row = first; row < last; ++row) {
      float* y = a.y + row * a.ldy + panel * kLanes;
      const Floats values = V::multiply(scale, sums[row - first]);
      if (count == kLanes) {
        V::store(y, values);
      } else {
        float lanes[kLanes];
        V::store(lanes, values);
        std::memcpy(y, lanes, static_cast<size_t>(count) * sizeof(float));
      }
    }
  }

  static void multiply(const WordArgs& a) {
    for (int64_t first = 0; first < a.rows; first += kChunk) {
      const int64_t last = first + kChunk < a.rows ? first + kChunk : a.rows;
      for (int64_t p = a.begin; p < a.end; ++p) panel(a, p, first, last);
    }
  }
};

}  // namespace mlxr::kernels
