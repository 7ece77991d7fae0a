// Norms, rotations and activations of one row.
#pragma once

#include <cmath>

#include "kernels/block_kernels.h"
#include "simd/math.h"

namespace mlxr::MLXR_SIMD {

/// Sum of f over x[0, n), eight partial vectors first and the rest one by one: an order that depends on n alone.
template <class Square>
inline float reduce(const float* x, int n, Square term) {
  F partial[4] = {zero(), zero(), zero(), zero()};
  int i = 0;
  for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
    for (int k = 0; k < 4; ++k) partial[k] = term(load(x + i + k * kWidth), partial[k]);
  }
  for (; i + kWidth <= n; i += kWidth) partial[0] = term(load(x + i), partial[0]);
  if (i < n) {
    // The unused lanes repeat nothing: they hold zero, and term(0) must add zero.
    float tail[kWidth] = {};
    for (int k = 0; i + k < n; ++k) tail[k] = x[i + k];
    partial[1] = term(load(tail), partial[1]);
  }
  return sum(add(add(partial[0], partial[1]), add(partial[2], partial[3])));
}

inline void rms_norm(const float* x, const float* weight, int n, float eps, float* y) {
  const float squares = reduce(x, n, [](F v, F total) { return fma(v, v, total); });
  const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
  int i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, mul(mul(load(x + i), set1(factor)), load(weight + i)));
  for (; i < n; ++i) y[i] = x[i] * factor * weight[i];
}

inline void layer_norm(const float* x, const float* weight, const float* bias, int n, float eps, float* y) {
  const float mean = reduce(x, n, [](F v, F total) { return add(v, total); }) / static_cast<float>(n);
  for (int i = 0; i < n; ++i) y[i] = x[i] - mean;
  const float squares = reduce(y, n, [](F v, F total) { return fma(v, v, total); });
  const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
  for (int i = 0; i < n; ++i) y[i] = y[i] * factor * weight[i] + (bias != nullptr ? bias[i] : 0.0f);
}

inline void add_rows(const float* x, int64_t n, float* y) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, add(load(x + i), load(y + i)));
  for (; i < n; ++i) y[i] += x[i];
}

inline void scale(float factor, int64_t n, float* y) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, mul(load(y + i), set1(factor)));
  for (; i < n; ++i) y[i] *= factor;
}

/// Applies f to y[0, n) and, where given, x beside it; a last partial vector goes through a copy.
template <class Function>
inline void transform(const float* x, int64_t n, float* y, Function f) {
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store(y + i, f(load(x + i), load(y + i)));
  if (i == n) return;
  float left[kWidth] = {}, right[kWidth] = {};
  for (int64_t k = 0; i + k < n; ++k) left[k] = x[i + k], right[k] = y[i + k];
  store(right, f(load(left), load(right)));
  for (int64_t k = 0; i + k < n; ++k) y[i + k] = right[k];
}

inline void softcap(float cap, int64_t n, float* y) {
  transform(y, n, y, [=](F v, F) { return mul(set1(cap), tanh(div(v, set1(cap)))); });
}

inline F silu(F x) { return mul(x, sigmoid(x)); }

/// x / 2 * (1 + tanh(u)) is x * sigmoid(2u), with u = sqrt(2 / pi) * (x + 0.044715 x^3) (Hendrycks and Gimpel 2016).
inline F gelu_tanh(F x) {
  const F cube = mul(mul(x, x), x);
  const F u = mul(set1(1.59576912f), fma(cube, set1(0.044715f), x));
  return mul(x, sigmoid(u));
}

inline F gelu(F x) { return mul(mul(x, set1(0.5f)), add(set1(1.0f), erf(mul(x, set1(0.70710678f))))); }

inline void activate(Nonlinearity kind, const float* gate, int64_t n, float* up) {
  const bool gated = gate != nullptr;
  const auto apply = [&](auto f) {
    if (gated) {
      transform(gate, n, up, [&](F g, F u) { return mul(f(g), u); });
    } else {
      transform(up, n, up, [&](F, F u) { return f(u); });
    }
  };
  switch (kind) {
    case Nonlinearity::Silu: return apply(silu);
    case Nonlinearity::GeluTanh: return apply(gelu_tanh);
    case Nonlinearity::Gelu: return apply(gelu);
  }
}

inline void to_half(const float* x, int64_t n, uint16_t* y) {
  const F low = set1(-65504.0f), high = set1(65504.0f);
  int64_t i = 0;
  for (; i + kWidth <= n; i += kWidth) store_half(y + i, min(max(load(x + i), low), high));
  if (i == n) return;
  float in[kWidth] = {};
  uint16_t out[kWidth];
  for (int64_t k = 0; i + k < n; ++k) in[k] = x[i + k];
  store_half(out, min(max(load(in), low), high));
  for (int64_t k = 0; i + k < n; ++k) y[i + k] = out[k];
}

inline void rotate_halves(const float* cosines, const float* sines, int half, float* x) {
  int i = 0;
  for (; i + kWidth <= half; i += kWidth) {
    const F a = load(x + i), b = load(x + half + i), c = load(cosines + i), s = load(sines + i);
    store(x + i, sub(mul(a, c), mul(b, s)));
    store(x + half + i, add(mul(a, s), mul(b, c)));
  }
  for (; i < half; ++i) {
    const float a = x[i], b = x[half + i];
    x[i] = a * cosines[i] - b * sines[i];
    x[half + i] = a * sines[i] + b * cosines[i];
  }
}

inline void rotate_pairs(const float* cosines, const float* sines, int half, float* x) {
  for (int i = 0; i < half; ++i) {
    const float a = x[2 * i], b = x[2 * i + 1];
    x[2 * i] = a * cosines[i] - b * sines[i];
    x[2 * i + 1] = a * sines[i] + b * cosines[i];
  }
}

}  // namespace mlxr::MLXR_SIMD
