// Matrices of random blocks for tests and benches: every bit of the codes random, scales finite.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "quant/matrix.h"
#include "quant/packed_layout.h"

namespace mlxr::test {

enum class Fill {
  Random,
  Largest,   // every code and scale at its largest, to find sums that overflow
  Denormal,  // scales that are subnormal half floats
  Huge,      // scales near the largest half float
};

struct FileMatrix {
  Type type;
  int64_t rows, cols;
  std::vector<uint8_t> data;
  std::vector<float> scale;   // FP8
  std::vector<float> absmax;  // NF4
  std::vector<float> map;
  Extras extras;

  std::shared_ptr<const Matrix> packed(Isa isa) const { return pack(type, rows, cols, data.data(), extras, isa); }
};

inline void put16(uint8_t* p, uint16_t v) { std::memcpy(p, &v, 2); }

// Where a block keeps its half floats; -1 for none.
struct HalfPlaces { int d = -1, m = -1; };

inline HalfPlaces half_places(Type type) {
  switch (type) {
    case Type::Q4_0:
    case Type::Q5_0:
    case Type::Q8_0:
    case Type::IQ4_NL:
    case Type::IQ4_XS: return {0, -1};
    case Type::Q4_1:
    case Type::Q5_1:
    case Type::AFFINE2:
    case Type::AFFINE3:
    case Type::AFFINE6:
    case Type::AFFINE8:
    case Type::Q4_K:
    case Type::Q5_K: return {0, 2};
    case Type::Q2_K: return {80, 82};
    case Type::Q3_K: return {108, -1};
    case Type::Q6_K: return {208, -1};
    default: return {};
  }
}

inline FileMatrix make_matrix(Type type, int64_t rows, int64_t cols, Fill fill, uint64_t seed) {
  std::mt19937_64 random(seed);
  FileMatrix m{type, rows, cols, {}, {}, {}, {}, {}};
  m.data.resize(static_cast<size_t>(rows) * row_bytes(type, cols));
  for (uint8_t& byte : m.data) byte = fill == Fill::Largest ? 0xff : static_cast<uint8_t>(random());
  // Half floats: sign random, exponent of about 2^-7, of a subnormal, or of the largest numbers.
  const auto half = [&] {
    const uint16_t bits = static_cast<uint16_t>(random());
    const uint16_t sign_and_fraction = bits & 0x83ff;
    return static_cast<uint16_t>(sign_and_fraction | (fill == Fill::Denormal ? 0
                                                      : fill == Fill::Huge   ? 0x7800
                                                                             : 0x2000));
  };
  const BlockShape shape = info(type).block;
  const HalfPlaces places = half_places(type);
  for (size_t at = 0; at < m.data.size(); at += static_cast<size_t>(shape.bytes)) {
    uint8_t* block = m.data.data() + at;
    if (places.d >= 0) put16(block + places.d, half());
    if (places.m >= 0) put16(block + places.m, half());
    if (type == Type::F16) put16(block, half());
    if (type == Type::BF16) put16(block, static_cast<uint16_t>((random() & 0x80ff) | 0x3c00));
    // A power of two of about the same size.
    if (type == Type::MXFP4) {
      *block = static_cast<uint8_t>((fill == Fill::Denormal ? 104 : fill == Fill::Huge ? 140 : 120) + random() % 4);
    }
    if (type == Type::FP8_E4M3 && (*block & 0x7f) == 0x7f) *block = 0x7e;
    if (type == Type::F32 || type == Type::Q8_K || is_codebook(type)) {
      const float f = std::ldexp(static_cast<float>(static_cast<int32_t>(random())), -38);
      std::memcpy(block, &f, sizeof(f));
    }
    if (type == Type::CODEBOOK) {
      for (int i = 4; i < 20; ++i) {
        block[i] = static_cast<uint8_t>(fill == Fill::Largest ? -packed::kLargestCodebookScale : block[i] % 65 - 32);
      }
    }
  }
  std::uniform_real_distribution<float> unit(0.01f, 1.0f);
  if (type == Type::FP8_E4M3) {
    m.extras.scale_rows = 24;
    m.extras.scale_cols = 40;
    m.scale.resize(static_cast<size_t>(((rows + 23) / 24) * ((cols + 39) / 40)));
    for (float& s : m.scale) s = unit(random);
    m.extras.scale = m.scale.data();
  }
  if (is_codebook(type)) {
    for (int i = 0; i < 16; ++i) m.map.push_back(static_cast<float>(fill == Fill::Largest ? -64 : 8 * i - 60));
    m.extras.map = m.map.data();
  }
  if (type == Type::NF4) {
    m.extras.absmax_block = 64;
    m.absmax.resize(static_cast<size_t>((rows * cols + 63) / 64));
    for (float& s : m.absmax) s = unit(random);
    for (int i = 0; i < 16; ++i) m.map.push_back(std::sin(0.2f * static_cast<float>(i - 8)));
    m.extras.absmax = m.absmax.data();
    m.extras.map = m.map.data();
  }
  return m;
}

inline std::vector<float> make_activations(int64_t rows, int64_t cols, Fill fill, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> x(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < x.size(); ++i) {
    if (fill == Fill::Largest)
      x[i] = seed % 2 ? 1.0f : -1.0f;
    else if (fill == Fill::Denormal)
      x[i] = normal(random) * (i / 32 % 2 ? 1e-41f : 1e-20f);
    else if (fill == Fill::Huge)
      x[i] = normal(random) * 1e25f;
    else
      x[i] = normal(random);
  }
  return x;
}

}  // namespace mlxr::test
