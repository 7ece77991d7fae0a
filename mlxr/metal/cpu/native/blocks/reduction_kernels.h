// Whole-row reductions that sampling needs.
#pragma once

#include <cmath>
#include <limits>

#include "block_kernels.h"
#include "vector_math.h"

namespace mlxr::MLXR_SIMD {

inline int64_t argmax(const float* x, int64_t n) {
  // First the value, then its first place: two plain passes beat one that carries indices.
  constexpr float kLeast = -std::numeric_limits<float>::infinity();
  F top[4] = {set1(kLeast), set1(kLeast), set1(kLeast), set1(kLeast)};
  int64_t i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    for (int k = 0; k < 4; ++k) top[k] = max(load(x + i + k * kWidth), top[k]);
  }
  float best = largest(max(max(top[0], top[1]), max(top[2], top[3])));
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  const F below = set1(std::nextafter(best, kLeast));
  int64_t at = 0;
  while (at + kWidth <= n && !any(less(below, load(x + at)))) at += kWidth;
  for (; at < n; ++at) {
    if (x[at] == best) return at;
  }
  return 0;
}

/// Vectors are summed in float32 over runs of 1,024 numbers and those in float64.
inline double exp_sum(const float* x, int64_t n, float shift) {
  double total = 0;
  int64_t i = 0;
  while (i + kWidth <= n) {
    F part = zero();
    for (int64_t stop = i + 1024; i + kWidth <= n && i < stop; i += kWidth) part = add(part, exp(sub(load(x + i), set1(shift))));
    total += sum(part);
  }
  if (i < n) {
    float tail[kWidth];
    for (int k = 0; k < kWidth; ++k) tail[k] = i + k < n ? x[i + k] : -std::numeric_limits<float>::infinity();
    total += sum(exp(sub(load(tail), set1(shift))));
  }
  return total;
}

}  // namespace mlxr::MLXR_SIMD
