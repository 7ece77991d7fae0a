// Whole-row reductions that sampling needs.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/block_kernels.h"
#include "simd/math.h"

namespace mlxr::MLXR_SIMD {

constexpr float kLeast = -std::numeric_limits<float>::infinity();

/// x[at, at + kWidth), the part beyond n filled up.
inline F load_tail(const float* x, int64_t at, int64_t n, float filling) {
  float lane[kWidth];
  for (int k = 0; k < kWidth; ++k) lane[k] = at + k < n ? x[at + k] : filling;
  return load(lane);
}

inline int64_t argmax(const float* x, int64_t n) {
  // First the value, then its first place: two plain passes beat one that carries indices.
  F top[4] = {set1(kLeast), set1(kLeast), set1(kLeast), set1(kLeast)};
  Mask strange = is_nan(zero());
  const auto take = [&](F value, int k) {
    top[k] = max(value, top[k]);
    strange = either(strange, is_nan(value));
  };
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    for (int k = 0; k < 4; ++k) take(load(x + i + k * kWidth), k);
  }
  for (; i < n; i += kWidth) take(load_tail(x, i, n, kLeast), 0);
  if (any(strange)) return -1;
  const float best = largest(max(max(top[0], top[1]), max(top[2], top[3])));
  const F below = set1(std::nextafter(best, kLeast));
  int64_t at = 0;
  while (best > kLeast && at + kWidth <= n && !any(less(below, load(x + at)))) at += kWidth;
  for (; at < n; ++at) {
    if (x[at] == best) return at;
  }
  return 0;
}

/// Vectors are summed in float32 over runs of 1,024 numbers, and those in float64.
inline double exp_sum(const float* x, int64_t n, float shift, float factor) {
  const auto term = [&](F value) { return exp(mul(sub(value, set1(shift)), set1(factor))); };
  double total = 0;
  int64_t i = 0;
  while (i + kWidth <= n) {
    F part = zero();
    for (int64_t stop = i + 1024; i + kWidth <= n && i < stop; i += kWidth) part = add(part, term(load(x + i)));
    total += sum(part);
  }
  if (i < n) total += sum(term(load_tail(x, i, n, kLeast)));
  return total;
}

inline int64_t collect(const float* x, int64_t n, float above, int32_t* ids) {
  int64_t count = 0, i = 0;
  const F threshold = set1(above);
  for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
    if (!any(either(less(threshold, load(x + i)), less(threshold, load(x + i + kWidth))))) continue;
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

}  // namespace mlxr::MLXR_SIMD
