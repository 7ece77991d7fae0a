// Elementary functions on vectors, and reductions over a vector's lanes. Polynomials were fitted for this project
// (Chebyshev nodes, float32 Horner); errors are in the parity tests.
#pragma once

namespace mlxr::simd {

template <class V>
struct Math {
  using F = typename V::Register;
  static constexpr int kWidth = V::kWidth;

  /// e^x to 2 units in the last place on [-87.3, 88.3]; exactly 1 at 0, exactly 0 below, clamped above (no infinities).
  static F exp(F x) {
    const F low = V::splat(-87.33654f);
    const typename V::Mask under = V::less(x, low);
    x = V::min(V::max(x, low), V::splat(88.37626f));
    const F n = V::round(V::mul(x, V::splat(1.44269504f)));
    // ln 2 in two parts keeps the remainder exact.
    F r = V::fma(n, V::splat(-0.693145752f), x);
    r = V::fma(n, V::splat(-1.42860677e-6f), r);
    F p = V::splat(1.38992e-3f);
    p = V::fma(p, r, V::splat(8.36896e-3f));
    p = V::fma(p, r, V::splat(4.166685e-2f));
    p = V::fma(p, r, V::splat(1.6666518e-1f));
    p = V::fma(p, r, V::splat(0.5f));
    p = V::fma(p, r, V::splat(1.0f));
    p = V::fma(p, r, V::splat(1.0f));
    return V::select(under, V::zero(), V::scale_by_power(p, n));
  }

  static F sigmoid(F x) { return V::div(V::splat(1.0f), V::add(V::splat(1.0f), exp(V::sub(V::zero(), x)))); }

  static F tanh(F x) {
    return V::sub(V::splat(1.0f), V::div(V::splat(2.0f), V::add(exp(V::add(x, x)), V::splat(1.0f))));
  }

  /// Error function to 3e-7 absolute: x P(x^2) / Q(x^2) on [-4, 4], beyond which it is one in float32.
  static F erf(F x) {
    x = V::min(V::max(x, V::splat(-4.0f)), V::splat(4.0f));
    const F z = V::mul(x, x);
    F p = V::splat(1.97485662e-6f);
    p = V::fma(p, z, V::splat(2.88036355e-4f));
    p = V::fma(p, z, V::splat(4.00344922e-3f));
    p = V::fma(p, z, V::splat(5.34668754e-2f));
    p = V::fma(p, z, V::splat(0.196244465f));
    p = V::fma(p, z, V::splat(1.12837898f));
    F q = V::splat(3.74808721e-5f);
    q = V::fma(q, z, V::splat(1.2163109e-3f));
    q = V::fma(q, z, V::splat(1.54440311e-2f));
    q = V::fma(q, z, V::splat(0.116474554f));
    q = V::fma(q, z, V::splat(0.50724829f));
    q = V::fma(q, z, V::splat(1.0f));
    return V::div(V::mul(x, p), q);
  }

  /// Sum of the lanes, halves added to halves.
  static float sum(F x) {
    float lane[kWidth];
    V::store(lane, x);
    for (int half = kWidth / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lane[i] += lane[i + half];
    }
    return lane[0];
  }

  static float largest(F x) {
    float lane[kWidth];
    V::store(lane, x);
    for (int half = kWidth / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
    }
    return lane[0];
  }
};

}  // namespace mlxr::simd
