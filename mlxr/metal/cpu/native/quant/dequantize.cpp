// Rows of a packed matrix as float32, for embedding lookup: the packed form is the only copy of the weights.
#include <cstring>

#include "base/constants.h"
#include "base/half.h"
#include "quant/int16_matrix.h"
#include "quant/matrix.h"
#include "quant/packed_layout.h"

namespace mlxr {
namespace {

using packed::Codes;
using packed::Scales;

uint16_t half_bits(const uint8_t* p, int lane) {
  uint16_t h;
  std::memcpy(&h, p + 2 * lane, sizeof(h));
  return h;
}

float half_at(const uint8_t* p, int lane) { return half_to_float(half_bits(p, lane)); }

float float_at(const uint8_t* p, int64_t index) {
  float f;
  std::memcpy(&f, p + 4 * index, sizeof(f));
  return f;
}

// Code of input feature i (0 .. 31) of one block; p points at this output feature's 4 bytes of the first vector.
int code_at(const Matrix& m, Codes codes, const uint8_t* p, int i) {
  const int g = i / 4;
  const auto bits = [&](int vector, int from, int count) {
    return p[64 * vector + i % 4] >> from & ((1 << count) - 1);
  };
  const auto nibble = [&] { return bits(g % 4, g / 4 * 4, 4); };
  switch (codes) {
    case Codes::Bits2: return bits(g / 4, g % 4 * 2, 2);
    case Codes::Bits3: return g < 6 ? bits(g / 2, g % 2 * 3, 3) : bits(g - 6, 6, 2) | bits(2, g, 1) << 2;
    case Codes::Bits5:
      if (g < 5) return bits(g, 0, 5);
      return g < 7 ? bits(2 * g - 10, 5, 3) | bits(2 * g - 9, 5, 2) << 3
                   : bits(4, 5, 3) | bits(1, 7, 1) << 3 | bits(3, 7, 1) << 4;
    case Codes::Bits6: {
      const int first = g / 4 * 3;
      if (g % 4 < 3) return bits(first + g % 4, 0, 6);
      return bits(first, 6, 2) | bits(first + 1, 6, 2) << 2 | bits(first + 2, 6, 2) << 4;
    }
    case Codes::Bits8: return bits(g, 0, 8) - 128;
    case Codes::Table4: return m.table[nibble()] - (packed::layout(m.type).zero == 0 ? 128 : 0);
    default: return nibble();
  }
}

// Scale and minimum of a half block; `header` and `block` point at the superblock's and the block's scales.
struct HalfBlock {
  float scale;
  float min;
};

HalfBlock half_block(Scales scales, const uint8_t* header, const uint8_t* block, int lane, int half) {
  if (scales == Scales::Halves) return {half_at(block + 2 * kLanes * half, lane), 0.0f};
  const float d = packed::has_float(scales) ? float_at(header, lane) : half_at(header, lane);
  switch (scales) {
    case Scales::HalfMin: return {d, half_at(header + 2 * kLanes, lane)};
    case Scales::SuperMin:
      return {d * static_cast<float>(block[lane]),
              -(half_at(header + 2 * kLanes, lane) * static_cast<float>(block[kLanes + lane]))};
    case Scales::SuperFloatHalves:
    case Scales::SuperHalves: return {d * static_cast<float>(static_cast<int8_t>(block[kLanes * half + lane])), 0.0f};
    case Scales::SuperHalvesMin: {
      const uint8_t both = block[kLanes * half + lane];
      return {d * static_cast<float>(both & 15), -(half_at(header + 2 * kLanes, lane) * static_cast<float>(both >> 4))};
    }
    case Scales::Super:
    case Scales::SuperFloatSigned: return {d * static_cast<float>(static_cast<int8_t>(block[lane])), 0.0f};
    default: return {d, 0.0f};
  }
}

void dequantize_integer(const Matrix& m, const uint8_t* codes, const uint8_t* scales, int lane, float* y) {
  const packed::Layout layout = packed::layout(m.type);
  const int supers = packed::blocks_per_super(layout.scales);
  const uint8_t* header = scales;
  for (int64_t block = 0; block < m.cols / kBlock; ++block, codes += packed::code_bytes(layout.codes)) {
    if (block % supers == 0) {
      header = scales;
      scales += packed::header_bytes(layout.scales);
    }
    for (int half = 0; half < 2; ++half) {
      const HalfBlock b = half_block(layout.scales, header, scales, lane, half);
      for (int i = 16 * half; i < 16 * half + 16; ++i) {
        *y++ = b.scale * static_cast<float>(code_at(m, layout.codes, codes + 4 * lane, i) - layout.zero) + b.min;
      }
    }
    scales += packed::block_scale_bytes(layout.scales);
  }
}

float floating_at(const Matrix& m, const uint8_t* codes, int lane, int64_t col) {
  switch (m.type) {
    case Type::F32: return float_at(codes, col * kLanes + lane);
    case Type::F16: return half_at(codes + col * 2 * kLanes, lane);
    case Type::BF16: return bfloat_to_float(half_bits(codes + col * 2 * kLanes, lane));
    case Type::FP8_E4M3: return e4m3_to_float(codes[col * kLanes + lane]);
    default: return m.map[codes[col / 2 * kLanes + lane] >> (4 * (col % 2)) & 15];
  }
}

}  // namespace

void dequantize_row(const Matrix& m, int64_t row, float* y) {
  if (m.int16) return dequantize_int16_row(m, row, y);
  const size_t panel = static_cast<size_t>(row / kLanes);
  const int lane = static_cast<int>(row % kLanes);
  const uint8_t* codes = m.codes.as<uint8_t>() + panel * m.panel_code_bytes;
  const uint8_t* scales = m.scales.as<uint8_t>() + panel * m.panel_scale_bytes;
  if (!is_floating(m.type)) return dequantize_integer(m, codes, scales, lane, y);
  for (int64_t col = 0; col < m.cols; ++col) {
    y[col] = floating_at(m, codes, lane, col);
    if (m.scale_span > 0) y[col] *= float_at(scales, col / m.scale_span * kLanes + lane);
  }
}

}  // namespace mlxr
