// The gated delta rule (Yang et al. 2025), token by token. Each column of a state goes its own way, and the sums of a
// column have one order, so that a prompt may be cut anywhere and columns may be shared out.
#pragma once

#include <cstring>

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace mlxr::kernels {

template <class V>
struct DeltaRuleKernels {
  using F = typename V::Register;
  using M = simd::Math<V>;
  static constexpr int kWidth = V::kWidth;
  /// Vectors of columns that go through together: two sums each, and what changes, stay in registers.
  static constexpr int kVectors = kWidth == 8 ? 2 : 4;
  static constexpr int kColumns = kVectors * kWidth;
  static_assert(kColumns <= kDeltaColumns);
  /// Rows of a state that are asked of memory before they are read: it comes from there, pages of it at a time.
  static constexpr int kAhead = 16;

  static void delta_rule(const DeltaRuleArgs& a, int64_t tokens) {
    for (int at = 0; at < a.columns; at += kColumns) {
      const int count = a.columns - at < kColumns ? a.columns - at : kColumns;
      columns(a, tokens, at, count);
    }
  }

 private:
  struct Vectors { F v[kVectors]; };

  [[gnu::always_inline]] static Vectors load(const float* p, int count) {
    float whole[kColumns];
    if (count < kColumns) {
      for (int i = 0; i < kColumns; ++i) whole[i] = i < count ? p[i] : 0.0f;
      p = whole;
    }
    Vectors out;
    for (int i = 0; i < kVectors; ++i) out.v[i] = V::load(p + i * kWidth);
    return out;
  }

  [[gnu::always_inline]] static void store(const Vectors& x, float* p, int count) {
    float whole[kColumns];
    float* const to = count < kColumns ? whole : p;
    for (int i = 0; i < kVectors; ++i) V::store(to + i * kWidth, x.v[i]);
    for (int i = 0; i < count && count < kColumns; ++i) p[i] = whole[i];
  }

  static float dot(const float* x, const float* y, int n) {
    F sum[2] = {V::zero(), V::zero()};
    int i = 0;
    for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
      for (int k = 0; k < 2; ++k) sum[k] = V::fma(V::load(x + i + k * kWidth), V::load(y + i + k * kWidth), sum[k]);
    }
    float total = M::sum(V::add(sum[0], sum[1]));
    for (; i < n; ++i) total += x[i] * y[i];
    return total;
  }

  /// Columns [at, at + count) of the state go through all tokens in `scratch`, [key_dim][kColumns]. What a token
  /// changes is added while the next one reads: out = decay (query S) + (query key) change needs no second pass.
  static void columns(const DeltaRuleArgs& a, int64_t tokens, int at, int count) {
    Vectors change;
    for (int64_t t = 0; t < tokens; ++t) {
      const float* const key = a.key + t * a.key_stride;
      const float* const query = a.query + t * a.key_stride;
      Vectors read, out;
      if (t == 0) {
        (tokens > 1 ? first<true> : first<false>)(a, key, query, at, count, read, out);
      } else {
        next(a, key, query, key - a.key_stride, a.decay[(t - 1) * a.factor_stride], change, read, out);
      }
      const F decay = V::splat(a.decay[t * a.factor_stride]), beta = V::splat(a.beta[t * a.factor_stride]);
      const F overlap = V::splat(dot(query, key, a.key_dim));
      const Vectors value = load(a.value + t * a.value_stride + at, count);
      for (int i = 0; i < kVectors; ++i) {
        change.v[i] = V::mul(beta, V::sub(value.v[i], V::mul(decay, read.v[i])));
        out.v[i] = V::fma(overlap, change.v[i], V::mul(decay, out.v[i]));
      }
      store(out, a.out + t * a.out_stride + at, count);
    }
    const float* const key = a.key + (tokens - 1) * a.key_stride;
    const float decay = a.decay[(tokens - 1) * a.factor_stride];
    (tokens > 1 ? last<true> : last<false>)(a, key, decay, change, at, count);
  }

  /// `kKept`: whether the state goes to the scratch memory, for more tokens than one.
  template <bool kKept>
  static void first(const DeltaRuleArgs& a, const float* key, const float* query, int at, int count, Vectors& read,
                    Vectors& out) {
    for (int i = 0; i < kVectors; ++i) read.v[i] = out.v[i] = V::zero();
    if (a.begins) {
      if (kKept) std::memset(a.scratch, 0, sizeof(float) * static_cast<size_t>(a.key_dim) * kColumns);
      return;
    }
    for (int d = 0; d < a.key_dim; ++d) {
      // What follows is what this thread or another reads next.
      for (int i = 0; i < kColumns; i += 16) __builtin_prefetch(a.state + (d + kAhead) * a.columns + at + i);
      const Vectors state = load(a.state + d * a.columns + at, count);
      if (kKept) store(state, a.scratch + d * kColumns, kColumns);
      const F k = V::splat(key[d]), q = V::splat(query[d]);
      for (int i = 0; i < kVectors; ++i) {
        read.v[i] = V::fma(k, state.v[i], read.v[i]);
        out.v[i] = V::fma(q, state.v[i], out.v[i]);
      }
    }
  }

  static void next(const DeltaRuleArgs& a, const float* key, const float* query, const float* before, float decayed,
                   const Vectors& change, Vectors& read, Vectors& out) {
    Vectors reads, outs;
    for (int i = 0; i < kVectors; ++i) reads.v[i] = outs.v[i] = V::zero();
    const F decay = V::splat(decayed);
    for (int d = 0; d < a.key_dim; ++d) {
      float* const row = a.scratch + d * kColumns;
      const F wrote = V::splat(before[d]), k = V::splat(key[d]), q = V::splat(query[d]);
      for (int i = 0; i < kVectors; ++i) {
        const F state = V::fma(wrote, change.v[i], V::mul(decay, V::load(row + i * kWidth)));
        V::store(row + i * kWidth, state);
        reads.v[i] = V::fma(k, state, reads.v[i]);
        outs.v[i] = V::fma(q, state, outs.v[i]);
      }
    }
    read = reads;
    out = outs;
  }

  template <bool kKept>
  static void last(const DeltaRuleArgs& a, const float* key, float decayed, const Vectors& change, int at, int count) {
    const F decay = V::splat(decayed);
    for (int d = 0; d < a.key_dim; ++d) {
      float* const to = a.state + d * a.columns + at;
      const F wrote = V::splat(key[d]);
      Vectors state{};
      if (kKept) {
        state = load(a.scratch + d * kColumns, kColumns);
      } else if (!a.begins) {
        state = load(to, count);
      }
      for (int i = 0; i < kVectors; ++i) state.v[i] = V::fma(wrote, change.v[i], V::mul(decay, state.v[i]));
      store(state, to, count);
    }
  }
};

}  // namespace mlxr::kernels
