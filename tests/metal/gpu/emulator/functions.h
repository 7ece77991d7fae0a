// Functions of Metal's library on single numbers. `fast` and `precise` are the same here.
#pragma once

#include "vectors.h"

namespace metal {

#define EMULATOR_FUNCTIONS                                            \
  inline float exp(float x) { return __builtin_expf(x); }             \
  inline float exp2(float x) { return __builtin_exp2f(x); }           \
  inline float log(float x) { return __builtin_logf(x); }             \
  inline float log2(float x) { return __builtin_log2f(x); }           \
  inline float sqrt(float x) { return __builtin_sqrtf(x); }           \
  inline float rsqrt(float x) { return 1.0f / __builtin_sqrtf(x); }   \
  inline float tanh(float x) { return __builtin_tanhf(x); }           \
  inline float cos(float x) { return __builtin_cosf(x); }             \
  inline float sin(float x) { return __builtin_sinf(x); }             \
  inline float pow(float x, float y) { return __builtin_powf(x, y); } \
  inline float divide(float x, float y) { return x / y; }

EMULATOR_FUNCTIONS
namespace fast {
EMULATOR_FUNCTIONS
}
namespace precise {
EMULATOR_FUNCTIONS
}

inline float abs(float x) { return __builtin_fabsf(x); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline float fabs(float x) { return __builtin_fabsf(x); }
inline float floor(float x) { return __builtin_floorf(x); }
inline float rint(float x) { return __builtin_nearbyintf(x); }
inline float round(float x) { return __builtin_roundf(x); }
inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline bool isnan(float x) { return x != x; }
inline bool isinf(float x) { return __builtin_isinf(x); }
inline bool isfinite(float x) { return __builtin_isfinite(x); }
inline int popcount(uint x) { return __builtin_popcount(x); }
inline int clz(uint x) { return x == 0 ? 32 : __builtin_clz(x); }
inline int ctz(uint x) { return x == 0 ? 32 : __builtin_ctz(x); }
inline uint mulhi(uint a, uint b) { return uint((unsigned long long)a * b >> 32); }

template <typename T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
T max(T a, T b) {
  return a < b ? b : a;
}
template <typename T>
T clamp(T x, T low, T high) {
  return min(max(x, low), high);
}
template <typename T>
T select(T no, T yes, bool chosen) {
  return chosen ? yes : no;
}

}  // namespace metal
