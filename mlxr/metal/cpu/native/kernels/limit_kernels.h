// What an instruction set gives at most: lines that are read, and products out of registers or the first-level cache.
#pragma once

#include <cstdint>

#include "kernels/matmul_args.h"

namespace mlxr::kernels {

template <class V>
struct LimitKernels {
  using Bytes = typename V::Bytes;

  /// Reads [p, p + n), whole lines, in four streams of one pass.
  static void read(const uint8_t* p, int64_t n) {
    Bytes found[4] = {V::load(p), V::load(p), V::load(p), V::load(p)};
    for (int64_t at = 0; at + 256 <= n; at += 256) {
      for (int i = 0; i < 4; ++i) {
        V::prefetch(p + at + V::kPrefetch + 64 * i);
        found[i] = V::either(found[i], V::load(p + at + 64 * i));
      }
    }
    asm volatile("" : : "m"(found));
  }

  /// Multiplies codes with 16-bit activations as a matrix product does, without its loads of memory, scales and sums;
  /// returns how many products it made.
  static int64_t multiply(int64_t rounds) {
    if constexpr (requires { V::multiply_registers(rounds); }) {
      return V::multiply_registers(rounds);
    } else {
      constexpr int kRows = V::kRows;
      typename V::Weights weights[8] = {};
      typename V::Block x[kRows] = {};
      typename V::Ints totals[kRows];
      for (int64_t round = 0; round < rounds; ++round) {
        V::template dot<4, 0, 8, kRows>(weights, x, 1, totals);
        asm volatile("" : : "m"(totals), "m"(x), "m"(weights) : "memory");
      }
      return rounds * kRows * kBlock * kLanes;
    }
  }
};

}  // namespace mlxr::kernels
