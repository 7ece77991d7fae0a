// Convolutions over tokens and the recurrence of state spaces. Each number's own sum has one order, whichever tokens
// and channels a call has, so that a prompt may be cut anywhere.
#pragma once

#include <cstdint>

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace mlxr::kernels {

template <class V>
struct RecurrenceKernels {
  using F = typename V::Register;
  using M = simd::Math<V>;
  static constexpr int kWidth = V::kWidth;
  /// Tokens whose rows are asked of memory before they are read.
  static constexpr int kAhead = 8;

  /// y *= x
  static void multiply(const float* x, int64_t n, float* y) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) V::store(y + i, V::mul(V::load(x + i), V::load(y + i)));
    for (; i < n; ++i) y[i] *= x[i];
  }

  static void convolve(const ConvolutionArgs& a, int64_t tokens, int64_t channels) {
    for (int64_t t = 0; t < tokens; ++t) {
      float* const y = a.y + t * a.y_stride;
      // Rows lie further apart than what the processor sees coming.
      const float* const later = a.x + (t + kAhead < tokens ? t + kAhead : t) * a.x_stride;
      for (int64_t c = 0; c < channels; c += 16) __builtin_prefetch(later + c);
      int64_t c = 0;
      for (; c + kWidth <= channels; c += kWidth) V::store(y + c, convolved(a, t, c));
      if (c == channels) continue;
      // The last lanes go through copies, so that their sums are made as the others are.
      const int64_t rest = channels - c;
      float sum[kWidth] = {}, left[kWidth] = {}, right[kWidth] = {};
      for (int64_t k = 0; k < rest && a.bias != nullptr; ++k) sum[k] = a.bias[c + k];
      F total = V::load(sum);
      for (int i = 0; i < a.taps; ++i) {
        for (int64_t k = 0; k < rest; ++k)
          left[k] = a.weight[i * a.weight_stride + c + k], right[k] = row(a, t, i)[c + k];
        total = V::fma(V::load(left), V::load(right), total);
      }
      V::store(sum, a.silu ? silu(total) : total);
      for (int64_t k = 0; k < rest; ++k) y[c + k] = sum[k];
    }
  }

  static void scan(const ScanArgs& a, int64_t tokens) {
    constexpr int kWide = kWidth >= 16 ? 4 : 2;
    int p = 0;
    for (; p + kWide * kWidth <= a.head_dim; p += kWide * kWidth) columns<kWide>(a, tokens, p);
    for (; p + kWidth <= a.head_dim; p += kWidth) columns<1>(a, tokens, p);
    for (; p < a.head_dim; ++p) column(a, tokens, p);
  }

 private:
  static F silu(F x) { return V::mul(x, M::sigmoid(x)); }

  /// The input that tap i multiplies for token t.
  static const float* row(const ConvolutionArgs& a, int64_t t, int i) {
    const int64_t at = t - a.taps + 1 + i;
    return at >= 0 ? a.x + at * a.x_stride : a.history + (at + a.taps - 1) * a.history_stride;
  }

  static F convolved(const ConvolutionArgs& a, int64_t t, int64_t c) {
    F total = a.bias != nullptr ? V::load(a.bias + c) : V::zero();
    for (int i = 0; i < a.taps; ++i) {
      total = V::fma(V::load(a.weight + i * a.weight_stride + c), V::load(row(a, t, i) + c), total);
    }
    return a.silu ? silu(total) : total;
  }

  /// Columns [p, p + kVectors * kWidth) of the state, some rows at a time, which stay in registers from token to token.
  template <int kVectors>
  static void columns(const ScanArgs& a, int64_t tokens, int p) {
    for (int64_t t = 0; t < tokens; ++t) {
      for (int v = 0; v < kVectors; ++v) {
        const int at = p + v * kWidth;
        V::store(a.y + t * a.y_stride + at, V::mul(V::splat(a.skip), V::load(a.x + t * a.x_stride + at)));
      }
    }
    int n = 0;
    for (; n + 4 <= a.state_size; n += 4) rows<kVectors, 4>(a, tokens, p, n);
    for (; n < a.state_size; ++n) rows<kVectors, 1>(a, tokens, p, n);
  }

  template <int kVectors, int kRows>
  static void rows(const ScanArgs& a, int64_t tokens, int p, int n) {
    F state[kRows][kVectors], x[kVectors], y[kVectors];
    float* const first = a.state + int64_t{n} * a.head_dim + p;
    for (int i = 0; i < kRows; ++i) {
      for (int v = 0; v < kVectors; ++v) state[i][v] = V::load(first + i * a.head_dim + v * kWidth);
    }
    for (int64_t t = 0; t < tokens; ++t) {
      const float* const b = a.b + t * a.bc_stride + n;
      const float* const c = a.c + t * a.bc_stride + n;
      const F step = V::splat(a.step[t]), decay = V::splat(a.decay[t]);
      float* const out = a.y + t * a.y_stride + p;
      for (int v = 0; v < kVectors; ++v) {
        x[v] = V::mul(V::load(a.x + t * a.x_stride + p + v * kWidth), step);
        y[v] = V::load(out + v * kWidth);
      }
      for (int i = 0; i < kRows; ++i) {
        const F in = V::splat(b[i]), read = V::splat(c[i]);
        for (int v = 0; v < kVectors; ++v) {
          state[i][v] = V::fma(in, x[v], V::mul(state[i][v], decay));
          y[v] = V::fma(read, state[i][v], y[v]);
        }
      }
      for (int v = 0; v < kVectors; ++v) V::store(out + v * kWidth, y[v]);
    }
    for (int i = 0; i < kRows; ++i) {
      for (int v = 0; v < kVectors; ++v) V::store(first + i * a.head_dim + v * kWidth, state[i][v]);
    }
  }

  /// One column, by itself.
  static void column(const ScanArgs& a, int64_t tokens, int p) {
    for (int64_t t = 0; t < tokens; ++t) {
      const float x = a.x[t * a.x_stride + p], in = x * a.step[t];
      const float* const b = a.b + t * a.bc_stride;
      const float* const c = a.c + t * a.bc_stride;
      float y = a.skip * x;
      for (int n = 0; n < a.state_size; ++n) {
        float& state = a.state[int64_t{n} * a.head_dim + p];
        state = b[n] * in + state * a.decay[t];
        y = c[n] * state + y;
      }
      a.y[t * a.y_stride + p] = y;
    }
  }
};

}  // namespace mlxr::kernels
