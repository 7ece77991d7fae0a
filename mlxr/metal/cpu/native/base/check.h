// Checks of what callers pass in.
#pragma once

#include <stdexcept>

namespace mlxr {

// Throws std::invalid_argument, with `what` as its message, unless `fits`.
inline void require(bool fits, const char* what) {
  if (!fits) throw std::invalid_argument(what);
}

}  // namespace mlxr
