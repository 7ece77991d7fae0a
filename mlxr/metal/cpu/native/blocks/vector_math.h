// Elementary functions on vectors. Polynomials were fitted for this project (Chebyshev nodes, float32 Horner); errors are in
// the parity tests.
#pragma once

#include "simd.h"

namespace mlxr::MLXR_SIMD {

/// e^x to 2 units in the last place on [-87.3, 88.3]; exactly 1 at 0, exactly 0 below, clamped above (no infinities).
inline F exp(F x) {
  const F low = set1(-87.33654f);
  const Mask under = less(x, low);
  x = min(max(x, low), set1(88.37626f));
  const F n = round(mul(x, set1(1.44269504f)));
  // ln 2 in two parts keeps the remainder exact.
  F r = fma(n, set1(-0.693145752f), x);
  r = fma(n, set1(-1.42860677e-6f), r);
  F p = set1(1.38992e-3f);
  p = fma(p, r, set1(8.36896e-3f));
  p = fma(p, r, set1(4.166685e-2f));
  p = fma(p, r, set1(1.6666518e-1f));
  p = fma(p, r, set1(0.5f));
  p = fma(p, r, set1(1.0f));
  p = fma(p, r, set1(1.0f));
  return select(under, zero(), scale_by_power(p, n));
}

inline F sigmoid(F x) { return div(set1(1.0f), add(set1(1.0f), exp(sub(zero(), x)))); }

inline F tanh(F x) { return sub(set1(1.0f), div(set1(2.0f), add(exp(add(x, x)), set1(1.0f)))); }

/// Error function to 2e-7 absolute: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
inline F erf(F x) {
  const F a = abs(x);
  const F t = div(set1(1.0f), fma(a, set1(0.3275911f), set1(1.0f)));
  F p = set1(1.061405429f);
  p = fma(p, t, set1(-1.453152027f));
  p = fma(p, t, set1(1.421413741f));
  p = fma(p, t, set1(-0.284496736f));
  p = fma(p, t, set1(0.254829592f));
  const F magnitude = sub(set1(1.0f), mul(mul(p, t), exp(sub(zero(), mul(a, a)))));
  return select(less(x, zero()), sub(zero(), magnitude), magnitude);
}

}  // namespace mlxr::MLXR_SIMD
