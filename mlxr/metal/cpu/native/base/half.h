// Scalar conversions of the small float formats; bit-exact, denormals, infinities and NaN included.
#pragma once

#include <bit>
#include <cstdint>

namespace mlxr {

inline float half_to_float(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
  const uint32_t magnitude = h & 0x7fffu;
  if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude >= 0x0400u) return std::bit_cast<float>(sign | ((magnitude << 13) + (112u << 23)));
  const float subnormal = static_cast<float>(magnitude) * 0x1p-24f;
  return sign ? -subnormal : subnormal;
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
