// Norms, rotations and activations of one row.
#pragma once

#include <cmath>

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace mlxr::kernels {

template <class V>
struct RowKernels {
  using F = typename V::Register;
  using M = simd::Math<V>;
  static constexpr int kWidth = V::kWidth;

  /// Sum of f over x[0, n), eight partial vectors first and the rest one by one: an order that depends on n alone.
  template <class Square>
  static float reduce(const float* x, int n, Square term) {
    F partial[4] = {V::zero(), V::zero(), V::zero(), V::zero()};
    int i = 0;
    for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
      for (int k = 0; k < 4; ++k) partial[k] = term(V::load(x + i + k * kWidth), partial[k]);
    }
    for (; i + kWidth <= n; i += kWidth) partial[0] = term(V::load(x + i), partial[0]);
    if (i < n) {
      // The unused lanes repeat nothing: they hold zero, and term(0) must add zero.
      float tail[kWidth] = {};
      for (int k = 0; i + k < n; ++k) tail[k] = x[i + k];
      partial[1] = term(V::load(tail), partial[1]);
    }
    return M::sum(V::add(V::add(partial[0], partial[1]), V::add(partial[2], partial[3])));
  }

  static void rms_norm(const float* x, const float* weight, int n, float eps, float* y) {
    const float squares = reduce(x, n, [](F v, F total) { return V::fma(v, v, total); });
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
    int i = 0;
    for (; i + kWidth <= n; i += kWidth) {
      V::store(y + i, V::mul(V::mul(V::load(x + i), V::splat(factor)), V::load(weight + i)));
    }
    for (; i < n; ++i) y[i] = x[i] * factor * weight[i];
  }

  static void layer_norm(const float* x, const float* weight, const float* bias, int n, float eps, float* y) {
    const float mean = reduce(x, n, [](F v, F total) { return V::add(v, total); }) / static_cast<float>(n);
    for (int i = 0; i < n; ++i) y[i] = x[i] - mean;
    const float squares = reduce(y, n, [](F v, F total) { return V::fma(v, v, total); });
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(n) + eps);
    for (int i = 0; i < n; ++i) y[i] = y[i] * factor * weight[i] + (bias != nullptr ? bias[i] : 0.0f);
  }

  static void add_rows(const float* x, int64_t n, float* y) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) V::store(y + i, V::add(V::load(x + i), V::load(y + i)));
    for (; i < n; ++i) y[i] += x[i];
  }

  static void scale(float factor, int64_t n, float* y) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) V::store(y + i, V::mul(V::load(y + i), V::splat(factor)));
    for (; i < n; ++i) y[i] *= factor;
  }

  /// Applies f to y[0, n) and, where given, x beside it; a last partial vector goes through a copy.
  template <class Function>
  static void transform(const float* x, int64_t n, float* y, Function f) {
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) V::store(y + i, f(V::load(x + i), V::load(y + i)));
    if (i == n) return;
    float left[kWidth] = {}, right[kWidth] = {};
    for (int64_t k = 0; i + k < n; ++k) left[k] = x[i + k], right[k] = y[i + k];
    V::store(right, f(V::load(left), V::load(right)));
    for (int64_t k = 0; i + k < n; ++k) y[i + k] = right[k];
  }

  static void softcap(float cap, int64_t n, float* y) {
    transform(y, n, y, [=](F v, F) { return V::mul(V::splat(cap), M::tanh(V::div(v, V::splat(cap)))); });
  }

  static F silu(F x) { return V::mul(x, M::sigmoid(x)); }

  /// x / 2 * (1 + tanh(u)) is x * sigmoid(2u), with u = sqrt(2 / pi) * (x + 0.044715 x^3) (Hendrycks and Gimpel
  /// 2016).
  static F gelu_tanh(F x) {
    const F cube = V::mul(V::mul(x, x), x);
    const F u = V::mul(V::splat(1.59576912f), V::fma(cube, V::splat(0.044715f), x));
    return V::mul(x, M::sigmoid(u));
  }

  static F gelu(F x) {
    return V::mul(V::mul(x, V::splat(0.5f)), V::add(V::splat(1.0f), M::erf(V::mul(x, V::splat(0.70710678f)))));
  }

  static F relu_squared(F x) {
    const F positive = V::max(x, V::zero());
    return V::mul(positive, positive);
  }

  /// gpt-oss's gate (OpenAI 2025, "gpt-oss model card"): g * sigmoid(1.702 g) * (u + 1), both clamped to 7.
  static F swiglu_oai(F g, F u) {
    const F most = V::splat(7.0f);
    g = V::min(g, most);
    u = V::min(V::max(u, V::splat(-7.0f)), most);
    return V::mul(V::mul(g, M::sigmoid(V::mul(g, V::splat(1.702f)))), V::add(u, V::splat(1.0f)));
  }

  static void activate(Nonlinearity kind, const float* gate, int64_t n, float* up) {
    const bool gated = gate != nullptr;
    const auto apply = [&](auto f) {
      if (gated) {
        transform(gate, n, up, [&](F g, F u) { return V::mul(f(g), u); });
      } else {
        transform(up, n, up, [&](F, F u) { return f(u); });
      }
    };
    switch (kind) {
      case Nonlinearity::Silu: return apply(silu);
      case Nonlinearity::GeluTanh: return apply(gelu_tanh);
      case Nonlinearity::Gelu: return apply(gelu);
      case Nonlinearity::ReluSquared: return apply(relu_squared);
      case Nonlinearity::Sigmoid: return apply(M::sigmoid);
      case Nonlinearity::SwigluOai: return transform(gate, n, up, swiglu_oai);
    }
  }

  static void to_half(const float* x, int64_t n, uint16_t* y) {
    const F low = V::splat(-65504.0f), high = V::splat(65504.0f);
    int64_t i = 0;
    for (; i + kWidth <= n; i += kWidth) V::store_half(y + i, V::min(V::max(V::load(x + i), low), high));
    if (i == n) return;
    float in[kWidth] = {};
    uint16_t out[kWidth];
    for (int64_t k = 0; i + k < n; ++k) in[k] = x[i + k];
    V::store_half(out, V::min(V::max(V::load(in), low), high));
    for (int64_t k = 0; i + k < n; ++k) y[i + k] = out[k];
  }

  static void to_codes(const float* x, int n, int block, uint8_t* codes, uint16_t* scales) {
    for (int begin = 0; begin < n; begin += block) {
      const int count = n - begin < block ? n - begin : block;
      *scales++ = block_to_codes(x + begin, count, codes + begin);
    }
  }

  static uint16_t block_to_codes(const float* x, int n, uint8_t* codes) {
    F most = V::zero();
    bool nan = false;
    const auto each = [&](auto body) {
      for (int i = 0; i < n; i += kWidth) {
        if (i + kWidth <= n) {
          body(i, kWidth, V::load(x + i));
          continue;
        }
        float rest[kWidth] = {};
        for (int k = 0; i + k < n; ++k) rest[k] = x[i + k];
        body(i, n - i, V::load(rest));
      }
    };
    each([&](int, int, F v) {
      nan = nan || V::any(V::is_nan(v));
      most = V::max(most, V::max(v, V::sub(V::zero(), v)));
    });
    uint16_t scale[kWidth];
    V::store_half(scale, V::min(V::splat(M::largest(most) / 127.0f), V::splat(65504.0f)));
    float step[kWidth];
    V::store(step, V::load_half(scale));
    const F inverse = V::splat(step[0] > 0.0f ? 1.0f / step[0] : 0.0f);
    each([&](int i, int count, F v) {
      const F held = V::min(V::max(V::mul(v, inverse), V::splat(-127.0f)), V::splat(127.0f));
      float rounded[kWidth];
      V::store(rounded, V::round(held));
      for (int k = 0; k < count; ++k)
        codes[i + k] = static_cast<uint8_t>(nan ? 128 : static_cast<int>(rounded[k]) + 128);
    });
    return nan ? 0x7e00 : scale[0];
  }

  static void rotate_halves(const float* cosines, const float* sines, int half, float* x) {
    int i = 0;
    for (; i + kWidth <= half; i += kWidth) {
      const F a = V::load(x + i), b = V::load(x + half + i), c = V::load(cosines + i), s = V::load(sines + i);
      V::store(x + i, V::sub(V::mul(a, c), V::mul(b, s)));
      V::store(x + half + i, V::add(V::mul(a, s), V::mul(b, c)));
    }
    for (; i < half; ++i) {
      const float a = x[i], b = x[half + i];
      x[i] = a * cosines[i] - b * sines[i];
      x[half + i] = a * sines[i] + b * cosines[i];
    }
  }

  static void rotate_pairs(const float* cosines, const float* sines, int half, float* x) {
    for (int i = 0; i < half; ++i) {
      const float a = x[2 * i], b = x[2 * i + 1];
      x[2 * i] = a * cosines[i] - b * sines[i];
      x[2 * i + 1] = a * sines[i] + b * cosines[i];
    }
  }
};

}  // namespace mlxr::kernels
