// A panel's place in the result, shared by integer and floating kernels.
#pragma once

#include <cstring>

#include "kernels/matmul_args.h"

namespace mlxr::kernels {

// Writes a panel's sums for one activation row, as far as there are features.
template <class V>
[[gnu::always_inline]] inline void store_panel(const MatmulArgs& a, int64_t panel, int64_t row,
                                               typename V::Floats sums) {
  float* y = a.y + row * a.ldy + panel * kLanes;
  const int64_t features = a.features - panel * kLanes;
  if (features >= kLanes) {
    V::store(y, sums);
  } else {
    float lanes[kLanes];
    V::store(lanes, sums);
    std::memcpy(y, lanes, static_cast<size_t>(features) * sizeof(float));
  }
}

// The sums that store_panel wrote.
template <class V>
[[gnu::always_inline]] inline typename V::Floats load_panel(const MatmulArgs& a, int64_t panel, int64_t row) {
  const float* y = a.y + row * a.ldy + panel * kLanes;
  const int64_t features = a.features - panel * kLanes;
  if (features >= kLanes) return V::load(y);
  float lanes[kLanes] = {};
  std::memcpy(lanes, y, static_cast<size_t>(features) * sizeof(float));
  return V::load(lanes);
}

}  // namespace mlxr::kernels
