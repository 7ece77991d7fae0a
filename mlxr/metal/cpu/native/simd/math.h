// Elementary functions on vectors. Polynomials were fitted for this project (Chebyshev nodes, float32 Horner); errors
// are in the parity tests.
#pragma once

#include "simd/vector.h"

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

/// Error function to 3e-7 absolute: x P(x^2) / Q(x^2) on [-4, 4], beyond which it is one in float32.
inline F erf(F x) {
  x = min(max(x, set1(-4.0f)), set1(4.0f));
  const F z = mul(x, x);
  F p = set1(1.97485662e-6f);
  p = fma(p, z, set1(2.88036355e-4f));
  p = fma(p, z, set1(4.00344922e-3f));
  p = fma(p, z, set1(5.34668754e-2f));
  p = fma(p, z, set1(0.196244465f));
  p = fma(p, z, set1(1.12837898f));
  F q = set1(3.74808721e-5f);
  q = fma(q, z, set1(1.2163109e-3f));
  q = fma(q, z, set1(1.54440311e-2f));
  q = fma(q, z, set1(0.116474554f));
  q = fma(q, z, set1(0.50724829f));
  q = fma(q, z, set1(1.0f));
  return div(mul(x, p), q);
}

}  // namespace mlxr::MLXR_SIMD
