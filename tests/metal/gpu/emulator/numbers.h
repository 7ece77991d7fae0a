// 16-bit floats as the Metal Shading Language has them: every result of their arithmetic is rounded to 16 bits.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace metal {

inline uint32_t bits_of(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

inline float float_of(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

struct HalfFormat {
  static uint16_t round(float value) {
#if defined(__x86_64__)
    typedef float Floats __attribute__((vector_size(16)));
    typedef short Halves __attribute__((vector_size(16)));
    return uint16_t(Halves(__builtin_ia32_vcvtps2ph(Floats{value}, 0))[0]);
#else
    __fp16 half = value;
    uint16_t bits;
    std::memcpy(&bits, &half, 2);
    return bits;
#endif
  }
  static float widen(uint16_t bits) {
#if defined(__x86_64__)
    typedef short Halves __attribute__((vector_size(16)));
    return __builtin_ia32_vcvtph2ps(Halves{short(bits)})[0];
#else
    __fp16 half;
    std::memcpy(&half, &bits, 2);
    return half;
#endif
  }
};

struct BfloatFormat {
  static uint16_t round(float value) {
    uint32_t bits = bits_of(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return uint16_t(bits >> 16 | 0x40);
    return uint16_t((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
  }
  static float widen(uint16_t bits) { return float_of(uint32_t(bits) << 16); }
};

template <typename Format>
struct Float16 {
  uint16_t bits;

  Float16() = default;
  template <typename N, typename = std::enable_if_t<std::is_arithmetic_v<N>>>
  constexpr Float16(N value) : bits(Format::round(float(value))) {}
  template <typename Other, typename = std::enable_if_t<!std::is_same_v<Other, Format>>>
  explicit Float16(Float16<Other> value) : bits(Format::round(float(value))) {}
  operator float() const { return Format::widen(bits); }

  friend Float16 operator+(Float16 a, Float16 b) { return Float16(float(a) + float(b)); }
  friend Float16 operator-(Float16 a, Float16 b) { return Float16(float(a) - float(b)); }
  friend Float16 operator*(Float16 a, Float16 b) { return Float16(float(a) * float(b)); }
  friend Float16 operator/(Float16 a, Float16 b) { return Float16(float(a) / float(b)); }
  Float16 operator-() const { return Float16(-float(*this)); }
  template <typename N>
  Float16& operator+=(N other) {
    return *this = Float16(float(*this) + float(other));
  }
  template <typename N>
  Float16& operator*=(N other) {
    return *this = Float16(float(*this) * float(other));
  }
};

using half = Float16<HalfFormat>;
using bfloat = Float16<BfloatFormat>;
using bfloat16_t = bfloat;
using float16_t = half;

}  // namespace metal
