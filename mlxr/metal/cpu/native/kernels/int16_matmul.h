// 16-bit codes times 16-bit codes, written once for every instruction set V: lanes_*.h and a few operations more.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "base/constants.h"
#include "kernels/int16_kernels.h"

namespace mlxr::kernels {

template <class V>
struct Int16Matmul {
  using Floats = typename V::Floats;
  using Ints = typename V::Ints;
  static constexpr int64_t kChunk = 60;  // activation rows that a block of weights serves; whole tiles of 4 and of 12
  static constexpr int64_t kStretch =
      384;  // input features of a stretch: 12 KiB of a panel, which stay in the first-level cache

  static Int16Row quantize(const float* x, int64_t cols, int16_t* codes) {
    int32_t bits = 0;
    for (int64_t i = 0; i < cols; ++i) {
      int32_t value;
      std::memcpy(&value, x + i, sizeof(value));
      value &= 0x7fffffff;
      bits = value > bits ? value : bits;
    }
    float largest;
    std::memcpy(&largest, &bits, sizeof(largest));
    const bool finite = largest <= std::numeric_limits<float>::max();
    if (largest < 0x1p-100f || !finite) {
      std::memset(codes, 0, static_cast<size_t>(cols) * sizeof(*codes));
      return {finite ? 0.0f : largest, 0};
    }
    // Squares of very large and very small numbers leave the range of float32; all may be as large as the largest then.
    const bool has_squares = largest > 0x1p-40f && largest < 0x1p40f;
    const float by_code = largest / kLargestInt16Code;
    const float by_norm = has_squares ? std::sqrt(V::sum_of_squares(x, cols)) / kLargestNorm
                                      : largest / kLargestNorm * std::sqrt(static_cast<float>(cols));
    const float scale = by_code > by_norm ? by_code : by_norm;
    V::round_int16(x, cols, 1.0f / scale, codes);
    return {scale, V::correction_sum(codes, cols)};
  }

  // A panel keeps, for every two input features, 16 pairs, one a lane.
  static int64_t offset_of(int64_t col, int64_t lane) { return col / 2 * 2 * kLanes + lane * 2 + col % 2; }
  static void pack_row(const int16_t* codes, int64_t cols, int64_t lane, int16_t* panel) {
    for (int64_t col = 0; col < cols; ++col) panel[offset_of(col, lane)] = codes[col];
  }
  static void unpack_row(const int16_t* panel, int64_t cols, int64_t lane, int16_t* codes) {
    for (int64_t col = 0; col < cols; ++col) codes[col] = panel[offset_of(col, lane)];
  }

  // y = sums, less the correction sums, times the scales, plus the bias.
  static void store_products(const Int16Args& a, int64_t index, int64_t first, int64_t last,
                             const int32_t (*sums)[kLanes]) {
    const int64_t feature = index * kLanes, ldy = a.ldy;
    const int64_t lanes = a.features - feature < kLanes ? a.features - feature : kLanes;
    float some[kLanes] = {};
    if (a.bias != nullptr) std::memcpy(some, a.bias + feature, static_cast<size_t>(lanes) * sizeof(float));
    const Floats scale = V::load(a.scales + feature), bias = V::load(some);
    const Int16Row* x = a.x_rows + first;
    float* y = a.y + first * ldy + feature;
    for (int64_t row = 0; row < last - first; ++row, y += ldy) {
      const Floats both = V::mul(scale, V::splat(x[row].scale));
      const Floats values = V::fma(both, V::to_floats(V::corrected(sums[row], x[row].correction)), bias);
      if (lanes == kLanes) {
        V::store(y, values);
      } else {
        V::store(some, values);
        std::memcpy(y, some, static_cast<size_t>(lanes) * sizeof(float));
      }
    }
  }

  static void panel(const Int16Args& a, int64_t index, int64_t first, int64_t last) {
    int32_t sums[kChunk][kLanes];
    for (int64_t row = 0; row < last - first; ++row) V::start_sums(a.corrections + index * kLanes, sums[row]);
    for (int64_t begin = 0; begin < a.cols; begin += kStretch) {
      const int64_t cols = begin + kStretch < a.cols ? kStretch : a.cols - begin;
      const int16_t* w = a.weights + (index * a.cols + begin) * kLanes;
      const int16_t* x = a.x + first * a.cols + begin;
      const int64_t rows = last - first;
      int64_t row = 0;
      const auto tile = [&]<int R>(std::integral_constant<int, R>) {
        V::template add_products<R>(w, cols, x + row * a.cols, a.cols, sums[row]);
        row += R;
      };
      while (row + V::kInt16Rows <= rows) tile(std::integral_constant<int, V::kInt16Rows>{});
      while (row + 2 <= rows) tile(std::integral_constant<int, 2>{});
      if (row < rows) tile(std::integral_constant<int, 1>{});
    }
    store_products(a, index, first, last, sums);
  }

  static void multiply(const Int16Args& a) {
    for (int64_t first = 0; first < a.rows; first += kChunk) {
      const int64_t last = first + kChunk < a.rows ? first + kChunk : a.rows;
      for (int64_t p = a.begin; p < a.end; ++p) panel(a, p, first, last);
    }
  }
};

// The functions of V; `rows_per_thread` as in Int16Kernels.
template <class V>
constexpr Int16Kernels int16_kernels() {
  using Products = Int16Matmul<V>;
  return {Products::multiply, Products::quantize, Products::pack_row, Products::unpack_row, 24, 4};
}

}  // namespace mlxr::kernels
