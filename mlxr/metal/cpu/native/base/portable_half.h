// Half precision in portable arithmetic, for the path without conversion instructions.
#pragma once

#include <cstdint>
#include <cstring>

namespace mlxr::portable {

inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

inline float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline float widen(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t rest = static_cast<uint32_t>(h & 0x7fff) << 13;
  if ((h & 0x7c00) == 0x7c00) return float_of(sign | rest | 0x7f800000);
  // Multiplying by 2^112 moves the exponent's bias from 15 to 127 and makes subnormals normal on the way.
  return float_of(sign | bits_of(float_of(rest) * 0x1p112f));
}

/// Rounds to nearest, ties to even.
inline uint16_t narrow(float x) {
  const uint32_t bits = bits_of(x);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const uint32_t rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return sign | 0x7e00;
  if (rest >= 0x477ff000) return sign | 0x7c00;
  // Below the smallest normal half, adding 0.5 leaves the rounded subnormal in the low bits.
  if (rest < 0x38800000) return static_cast<uint16_t>(sign | (bits_of(float_of(rest) + 0.5f) - 0x3f000000));
  const uint32_t odd = (rest >> 13) & 1;
  return static_cast<uint16_t>(sign | ((rest - 0x38000000 + 0xfff + odd) >> 13));
}

}  // namespace mlxr::portable
