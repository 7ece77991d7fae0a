// Where the softmax in progress of some query rows lies (Partial): partials of one size, one after another.
#pragma once

#include <cstdint>

#include "kernels/attention_args.h"

namespace mlxr {

/// The lower cache line boundary matters only for speed; sizes are kept to whole lines of floats.
inline int64_t lines(int64_t floats) { return (floats + 15) / 16 * 16; }

/// Maxima, sums, values of `stride` numbers a row.
inline int64_t partial_floats(int rows, int stride) { return lines(rows) * 2 + int64_t{rows} * stride; }

inline Partial partial_at(float* base, int rows, int stride, int64_t index = 0) {
  float* at = base + index * partial_floats(rows, stride);
  return {at, at + lines(rows), at + 2 * lines(rows)};
}

inline Partial from_row(const Partial& p, int row, int stride) {
  return {p.max + row, p.sum + row, p.values + int64_t{row} * stride};
}

}  // namespace mlxr
