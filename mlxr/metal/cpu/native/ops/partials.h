// Where the softmax in progress of some query rows lies (Partial): partials of one size, one after another.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/attention_args.h"
#include "kernels/kernel_table.h"
#include "ops/batch.h"

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

/// Puts the parts of a token's key-value head together that were computed apart: `group` rows of each into `total`.
/// `rows`: of each partial in `partials`.
inline void merge_parts(const KernelTable& kernels, float* partials, int rows, const SplitToken& split, int head,
                        int group, int stride, const Partial& total) {
  for (int part = 0; part < split.parts; ++part) {
    const Partial parts = partial_at(partials, rows, stride, split.base + head * split.parts + part);
    const Partial from = from_row(parts, split.row, stride);
    if (part > 0) {
      kernels.merge(from, group, stride, total);
      continue;
    }
    std::copy_n(from.max, group, total.max);
    std::copy_n(from.sum, group, total.sum);
    std::copy_n(from.values, int64_t{group} * stride, total.values);
  }
}

}  // namespace mlxr
