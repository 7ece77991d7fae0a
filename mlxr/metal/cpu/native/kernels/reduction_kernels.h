// Whole-row reductions that sampling needs.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace mlxr::kernels {

template <class V>
struct ReductionKernels {
  using F = typename V::Register;
  using M = simd::Math<V>;
  static constexpr int kWidth = V::kWidth;

  static constexpr float kLeast = -std::numeric_limits<float>::infinity();

  /// x[at, at + kWidth), the part beyond n filled up.
  static F load_tail(const float* x, int64_t at, int64_t n, float filling) {
    float lane[kWidth];
    for (int k = 0; k < kWidth; ++k) lane[k] = at + k < n ? x[at + k] : filling;
    return V::load(lane);
  }

  static int64_t argmax(const float* x, int64_t n) {
    // First the value, then its first place: two plain passes beat one that carries indices.
    F top[4] = {V::splat(kLeast), V::splat(kLeast), V::splat(kLeast), V::splat(kLeast)};
    typename V::Mask strange = V::is_nan(V::zero());
    const auto take = [&](F value, int k) {
      top[k] = V::max(value, top[k]);
      strange = V::either(strange, V::is_nan(value));
    };
    int64_t i = 0;
    for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
      for (int k = 0; k < 4; ++k) take(V::load(x + i + k * kWidth), k);
    }
    for (; i < n; i += kWidth) take(load_tail(x, i, n, kLeast), 0);
    if (V::any(strange)) return -1;
    const float best = M::largest(V::max(V::max(top[0], top[1]), V::max(top[2], top[3])));
    const F below = V::splat(std::nextafter(best, kLeast));
    int64_t at = 0;
    while (best > kLeast && at + kWidth <= n && !V::any(V::less(below, V::load(x + at)))) at += kWidth;
    for (; at < n; ++at) {
      if (x[at] == best) return at;
    }
    return 0;
  }

  /// Vectors are summed in float32 over runs of 1,024 numbers, and those in float64.
  static double exp_sum(const float* x, int64_t n, float shift, float factor) {
    const auto term = [&](F value) { return M::exp(V::mul(V::sub(value, V::splat(shift)), V::splat(factor))); };
    double total = 0;
    int64_t i = 0;
    while (i + kWidth <= n) {
      F part = V::zero();
      for (int64_t stop = i + 1024; i + kWidth <= n && i < stop; i += kWidth) part = V::add(part, term(V::load(x + i)));
      total += M::sum(part);
    }
    if (i < n) total += M::sum(term(load_tail(x, i, n, kLeast)));
    return total;
  }

  static int64_t indices_above(const float* x, int64_t n, float above, int32_t* ids) {
    int64_t count = 0, i = 0;
    const F threshold = V::splat(above);
    for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
      if (!V::any(V::either(V::less(threshold, V::load(x + i)), V::less(threshold, V::load(x + i + kWidth))))) continue;
      for (int k = 0; k < 2 * kWidth; ++k) {
        ids[count] = static_cast<int32_t>(i + k);
        count += x[i + k] > above;
      }
    }
    for (; i < n; ++i) {
      if (x[i] > above) ids[count++] = static_cast<int32_t>(i);
    }
    return count;
  }
};

}  // namespace mlxr::kernels
