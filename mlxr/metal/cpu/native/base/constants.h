// Sizes that memory layouts and kernels share.
#pragma once

#include <cstddef>

namespace mlxr {

inline constexpr int kLanes = 16;         // output features of a panel: one a SIMD lane
inline constexpr int kBlock = 32;         // input features that share an activation scale
inline constexpr size_t kCacheLine = 64;  // bytes

}  // namespace mlxr
