// Walking over panels and rows, shared by integer and floating kernels.
#pragma once

#include <cstring>

#include "matmul_kernels.h"

namespace mlxr::kernels {

// Calls body(first, last) for chunks of activation rows, whole tiles each, that stay in the second-level cache while all
// panels pass by.
template <int kTile, class Body>
[[gnu::always_inline]] inline void for_row_chunks(const MatmulArgs& a, Body body) {
  constexpr int64_t kCacheBytes = 256 * 1024;
  const int64_t row_bytes = a.cols / kBlock * static_cast<int64_t>(sizeof(ActivationBlock));
  const int64_t tiles = kCacheBytes / ((row_bytes + 1) * kTile);
  const int64_t chunk = (tiles > 1 ? tiles : 1) * kTile;
  for (int64_t first = 0; first < a.rows; first += chunk) body(first, first + chunk < a.rows ? first + chunk : a.rows);
}

// Writes a panel's sums for one activation row, as far as there are features.
template <class V>
[[gnu::always_inline]] inline void store_panel(const MatmulArgs& a, int64_t panel, int64_t row, typename V::Floats sums) {
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

}  // namespace mlxr::kernels
