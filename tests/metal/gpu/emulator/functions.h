// Functions of Metal's library on single numbers. `fast` and `precise` are the same here.
#pragma once

#include <algorithm>
#include <cmath>

#include "vectors.h"

namespace metal {

#define EMULATOR_FUNCTIONS                                      \
  inline float exp(float x) { return std::exp(x); }             \
  inline float exp2(float x) { return std::exp2(x); }           \
  inline float log(float x) { return std::log(x); }             \
  inline float log2(float x) { return std::log2(x); }           \
  inline float sqrt(float x) { return std::sqrt(x); }           \
  inline float rsqrt(float x) { return 1.0f / std::sqrt(x); }   \
  inline float tanh(float x) { return std::tanh(x); }           \
  inline float cos(float x) { return std::cos(x); }             \
  inline float sin(float x) { return std::sin(x); }             \
  inline float pow(float x, float y) { return std::pow(x, y); } \
  inline float divide(float x, float y) { return x / y; }

EMULATOR_FUNCTIONS
namespace fast {
EMULATOR_FUNCTIONS
}
namespace precise {
EMULATOR_FUNCTIONS
}

inline float abs(float x) { return std::fabs(x); }
inline int abs(int x) { return x < 0 ? -x : x; }
inline float fabs(float x) { return std::fabs(x); }
inline float floor(float x) { return std::floor(x); }
inline float rint(float x) { return std::nearbyint(x); }
inline float round(float x) { return std::round(x); }
inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
inline bool isnan(float x) { return x != x; }
inline bool isinf(float x) { return std::isinf(x); }
inline bool isfinite(float x) { return std::isfinite(x); }
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
