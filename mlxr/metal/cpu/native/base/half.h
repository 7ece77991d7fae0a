// Scalar conversions of the small float formats; bit-exact, denormals, infinities and NaN included.
#pragma once

#include <bit>
#include <cstdint>

namespace mlxr {

inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(h & 0x7fffu) << 13;
  if ((h & 0x7c00u) == 0x7c00u) return std::bit_cast<float>(sign | magnitude | 0x7f800000u);
  // Multiplying by 2^112 moves the exponent's bias from 15 to 127 and makes subnormals normal on the way.
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f));
}

// Rounds to nearest, ties to even.
inline uint16_t float_to_half(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000u);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return sign | 0x7e00u;
  if (magnitude >= 0x477ff000u) return sign | 0x7c00u;
  // Below the smallest normal half, adding 0.5 leaves the rounded subnormal in the low bits.
  if (magnitude < 0x38800000u) {
    return static_cast<uint16_t>(sign |
                                 (std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u));
  }
  const uint32_t odd = (magnitude >> 13) & 1;
  return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
}

inline float bfloat_to_float(uint16_t b) { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

// FP8 E4M3 ("fn": no infinities, 0x7f and 0xff are NaN), OCP 8-bit floating point specification 1.0. Its bits, moved up
// to those of a half float, stand for 1/256 of its value.
inline float e4m3_to_float(uint8_t f) {
  const uint16_t magnitude = (f & 0x7fu) == 0x7fu ? 0x7e00u : static_cast<uint16_t>((f & 0x7fu) << 7);
  return 256.0f * half_to_float(static_cast<uint16_t>((f & 0x80u) << 8 | magnitude));
}

// The nearest half float of a positive number, or of zero; those above its range become infinite.
inline uint16_t positive_to_half(float f) {
  const uint32_t bits = std::bit_cast<uint32_t>(f);
  if (bits >= 0x47800000u) return 0x7c00u;
  if (bits < 0x38800000u) return static_cast<uint16_t>(f * 0x1p24f + 0.5f);  // subnormal
  return static_cast<uint16_t>((bits + 0xfffu + (bits >> 13 & 1u) - (112u << 23)) >> 13);
}

}  // namespace mlxr
