// Vectors of two to four numbers, with the components, constructors and arithmetic that kernels here use. None has
// swizzles: Metal has, and kernels do without.
#pragma once

#include "numbers.h"

namespace metal {

template <typename T, int N>
struct alignas(N == 3 ? 4 * sizeof(T) : N * sizeof(T)) vec;

#define EMULATOR_OPERATORS(N)                             \
  T& operator[](int i) { return (&x)[i]; }                \
  T operator[](int i) const { return (&x)[i]; }           \
  template <typename F>                                   \
  static vec each(F f) {                                  \
    vec result;                                           \
    for (int i = 0; i < N; ++i) result[i] = T(f(i));      \
    return result;                                        \
  }                                                       \
  vec() = default;                                        \
  vec(T all) {                                            \
    for (int i = 0; i < N; ++i) (*this)[i] = all;         \
  }                                                       \
  template <typename U>                                   \
  explicit vec(vec<U, N> other) {                         \
    for (int i = 0; i < N; ++i) (*this)[i] = T(other[i]); \
  }                                                       \
  friend vec operator+(vec a, vec b) {                    \
    return each([&](int i) { return a[i] + b[i]; });      \
  }                                                       \
  friend vec operator-(vec a, vec b) {                    \
    return each([&](int i) { return a[i] - b[i]; });      \
  }                                                       \
  friend vec operator*(vec a, vec b) {                    \
    return each([&](int i) { return a[i] * b[i]; });      \
  }                                                       \
  friend vec operator/(vec a, vec b) {                    \
    return each([&](int i) { return a[i] / b[i]; });      \
  }                                                       \
  vec& operator+=(vec b) { return *this = *this + b; }    \
  vec& operator-=(vec b) { return *this = *this - b; }    \
  vec& operator*=(vec b) { return *this = *this * b; }    \
  friend vec operator&(vec a, vec b) {                    \
    return each([&](int i) { return a[i] & b[i]; });      \
  }                                                       \
  friend vec operator|(vec a, vec b) {                    \
    return each([&](int i) { return a[i] | b[i]; });      \
  }                                                       \
  friend vec operator>>(vec a, vec b) {                   \
    return each([&](int i) { return a[i] >> b[i]; });     \
  }                                                       \
  friend vec operator<<(vec a, vec b) {                   \
    return each([&](int i) { return a[i] << b[i]; });     \
  }

template <typename T>
struct alignas(2 * sizeof(T)) vec<T, 2> {
  T x, y;
  EMULATOR_OPERATORS(2)
  vec(T a, T b) : x(a), y(b) {}
};

template <typename T>
struct alignas(4 * sizeof(T)) vec<T, 3> {
  T x, y, z;
  EMULATOR_OPERATORS(3)
  vec(T a, T b, T c) : x(a), y(b), z(c) {}
};

template <typename T>
struct alignas(4 * sizeof(T)) vec<T, 4> {
  T x, y, z, w;
  EMULATOR_OPERATORS(4)
  vec(T a, T b, T c, T d) : x(a), y(b), z(c), w(d) {}
};

using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;
using ulong = unsigned long;

#define EMULATOR_VECTORS(T) \
  using T##2 = vec<T, 2>;   \
  using T##3 = vec<T, 3>;   \
  using T##4 = vec<T, 4>;
EMULATOR_VECTORS(float)
EMULATOR_VECTORS(half)
EMULATOR_VECTORS(bfloat)
EMULATOR_VECTORS(int)
EMULATOR_VECTORS(uint)
EMULATOR_VECTORS(char)
EMULATOR_VECTORS(uchar)
EMULATOR_VECTORS(short)
EMULATOR_VECTORS(ushort)

template <typename T, int N>
T dot(vec<T, N> a, vec<T, N> b) {
  T sum = a[0] * b[0];
  for (int i = 1; i < N; ++i) sum = sum + a[i] * b[i];
  return sum;
}

template <typename To, typename From>
To as_type(From from) {
  static_assert(sizeof(To) == sizeof(From), "as_type keeps the bits");
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

}  // namespace metal
