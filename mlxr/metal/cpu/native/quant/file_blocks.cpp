#include "quant/file_blocks.h"

#include <cmath>
#include <cstring>
#include <stdexcept>

#include "base/half.h"

namespace mlxr {
namespace {

// A block of 32: element i is the low nibble of byte i, element i + 16 the high one.
void nibbles_32(const uint8_t* qs, uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = qs[i] & 15;
    codes[i + 16] = qs[i] >> 4;
  }
}

// Fifth bits of a block of 32: bit i of a little-endian word.
void fifth_bits_32(const uint8_t* qh, uint8_t* codes) {
  for (int i = 0; i < 32; ++i) codes[i] = static_cast<uint8_t>(codes[i] | (qh[i / 8] >> (i % 8) & 1) << 4);
}

// Q4_K and Q5_K: eight 6-bit scales and minima in 12 bytes.
void scales_and_mins(const uint8_t* packed, UnpackedBlock& out) {
  for (int i = 0; i < 4; ++i) {
    out.scales[i] = static_cast<int8_t>(packed[i] & 63);
    out.mins[i] = packed[i + 4] & 63;
    out.scales[i + 4] = static_cast<int8_t>((packed[i + 8] & 15) | (packed[i] >> 6) << 4);
    out.mins[i + 4] = static_cast<uint8_t>((packed[i + 8] >> 4) | (packed[i + 4] >> 6) << 4);
  }
}

// Q4_K and Q5_K: 64 elements in 32 bytes, low nibbles first.
void nibbles_k(const uint8_t* qs, uint8_t* codes) {
  for (int i = 0; i < 256; ++i) codes[i] = qs[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4) & 15;
}

void take_half(uint16_t d, UnpackedBlock& out) {
  out.d_half = d;
  out.d = half_to_float(d);
}

void take_halves(uint16_t d, uint16_t dmin, UnpackedBlock& out) {
  take_half(d, out);
  out.dmin_half = dmin;
  out.dmin = half_to_float(dmin);
}

void unpack(const file::Q4_0& b, UnpackedBlock& out) {
  take_half(b.d, out);
  nibbles_32(b.qs, out.codes);
}

// Q4_1 and Q5_1 add their minimum; `dmin` holds it as the file has it.
void unpack(const file::Q4_1& b, UnpackedBlock& out) {
  take_halves(b.d, b.m, out);
  nibbles_32(b.qs, out.codes);
}

void unpack(const file::Q5_0& b, UnpackedBlock& out) {
  take_half(b.d, out);
  nibbles_32(b.qs, out.codes);
  fifth_bits_32(b.qh, out.codes);
}

void unpack(const file::Q5_1& b, UnpackedBlock& out) {
  take_halves(b.d, b.m, out);
  nibbles_32(b.qs, out.codes);
  fifth_bits_32(b.qh, out.codes);
}

void unpack(const file::Q8_0& b, UnpackedBlock& out) {
  take_half(b.d, out);
  std::memcpy(out.codes, b.qs, sizeof(b.qs));
}

void unpack(const file::Q2_K& b, UnpackedBlock& out) {
  take_halves(b.d, b.dmin, out);
  for (int i = 0; i < 16; ++i) {
    out.scales[i] = static_cast<int8_t>(b.scales[i] & 15);
    out.mins[i] = b.scales[i] >> 4;
  }
  for (int i = 0; i < 256; ++i) out.codes[i] = b.qs[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
}

void unpack(const file::Q3_K& b, UnpackedBlock& out) {
  take_half(b.d, out);
  for (int i = 0; i < 16; ++i) {
    const int low = b.scales[i % 8] >> (i / 8 * 4) & 15;
    const int high = b.scales[8 + i % 4] >> (i / 4 * 2) & 3;
    out.scales[i] = static_cast<int8_t>((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; ++i) {
    const int low = b.qs[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
    const int high = b.hmask[i % 32] >> (i / 32) & 1;
    out.codes[i] = static_cast<uint8_t>(low | high << 2);
  }
}

void unpack(const file::Q4_K& b, UnpackedBlock& out) {
  take_halves(b.d, b.dmin, out);
  scales_and_mins(b.scales, out);
  nibbles_k(b.qs, out.codes);
}

void unpack(const file::Q5_K& b, UnpackedBlock& out) {
  take_halves(b.d, b.dmin, out);
  scales_and_mins(b.scales, out);
  nibbles_k(b.qs, out.codes);
  for (int i = 0; i < 256; ++i) out.codes[i] = static_cast<uint8_t>(out.codes[i] | (b.qh[i % 32] >> (i / 32) & 1) << 4);
}

void unpack(const file::Q6_K& b, UnpackedBlock& out) {
  take_half(b.d, out);
  std::memcpy(out.scales, b.scales, sizeof(b.scales));
  for (int i = 0; i < 256; ++i) {
    const int low = b.ql[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4) & 15;
    const int high = b.qh[i / 128 * 32 + i % 32] >> (i / 32 % 4 * 2) & 3;
    out.codes[i] = static_cast<uint8_t>(low | high << 4);
  }
}

void unpack(const file::Q8_K& b, UnpackedBlock& out) {
  out.d = b.d;
  std::memcpy(out.codes, b.qs, sizeof(b.qs));
}

void unpack(const file::IQ4_NL& b, UnpackedBlock& out) {
  take_half(b.d, out);
  nibbles_32(b.qs, out.codes);
}

void unpack(const file::IQ4_XS& b, UnpackedBlock& out) {
  take_half(b.d, out);
  for (int i = 0; i < 8; ++i) {
    const int low = b.scales_l[i / 2] >> (i % 2 * 4) & 15;
    const int high = b.scales_h >> (i * 2) & 3;
    out.scales[i] = static_cast<int8_t>((low | high << 4) - 32);
    nibbles_32(b.qs + 16 * i, out.codes + 32 * i);
  }
}

// A power of two, halved since the values are doubled (E8M0, bias 127). Those no half float can hold are below 1e-7
// times any code, or infinite.
void unpack(const file::MXFP4& b, UnpackedBlock& out) {
  take_half(positive_to_half(std::ldexp(1.0f, b.e - 128)), out);
  nibbles_32(b.qs, out.codes);
}

// Scales without a sign (UE4M3, where 0x7f is zero), halved likewise.
void unpack(const file::NVFP4& b, UnpackedBlock& out) {
  for (int part = 0; part < 4; ++part) {
    const uint8_t scale = b.scales[part] & 0x7f;
    out.half_scales[part] = scale == 0x7f ? 0 : positive_to_half(0.5f * e4m3_to_float(scale));
    for (int i = 0; i < 8; ++i) {
      out.codes[16 * part + i] = b.qs[8 * part + i] & 15;
      out.codes[16 * part + 8 + i] = b.qs[8 * part + i] >> 4;
    }
  }
}

template <class Block>
void take_codebook(const Block& b, UnpackedBlock& out) {
  out.d = b.d;
  std::memcpy(out.scales, b.scales, sizeof(b.scales));
  for (int i = 0; i < 256; ++i) out.codes[i] = b.qs[i / 2] >> (i % 2 * 4) & 15;
}

void unpack(const file::CODEBOOK& b, UnpackedBlock& out) { take_codebook(b, out); }

void unpack(const file::CODEBOOK32& b, UnpackedBlock& out) { take_codebook(b, out); }

void unpack(const file::AFFINE& b, UnpackedBlock& out) {
  take_halves(b.d, b.m, out);
  std::memcpy(out.codes, b.qs, sizeof(b.qs));
}

// Blocks have odd sizes and files no alignment, so they are copied before they are looked at.
template <class Block>
void unpack_from(const uint8_t* bytes, UnpackedBlock& out) {
  Block block;
  std::memcpy(&block, bytes, sizeof(block));
  unpack(block, out);
}

}  // namespace

void unpack_block(Type type, const uint8_t* block, UnpackedBlock& out) {
  switch (type) {
    case Type::Q4_0: return unpack_from<file::Q4_0>(block, out);
    case Type::Q4_1: return unpack_from<file::Q4_1>(block, out);
    case Type::Q5_0: return unpack_from<file::Q5_0>(block, out);
    case Type::Q5_1: return unpack_from<file::Q5_1>(block, out);
    case Type::Q8_0: return unpack_from<file::Q8_0>(block, out);
    case Type::Q2_K: return unpack_from<file::Q2_K>(block, out);
    case Type::Q3_K: return unpack_from<file::Q3_K>(block, out);
    case Type::Q4_K: return unpack_from<file::Q4_K>(block, out);
    case Type::Q5_K: return unpack_from<file::Q5_K>(block, out);
    case Type::Q6_K: return unpack_from<file::Q6_K>(block, out);
    case Type::Q8_K: return unpack_from<file::Q8_K>(block, out);
    case Type::IQ4_NL: return unpack_from<file::IQ4_NL>(block, out);
    case Type::IQ4_XS: return unpack_from<file::IQ4_XS>(block, out);
    case Type::MXFP4: return unpack_from<file::MXFP4>(block, out);
    case Type::NVFP4: return unpack_from<file::NVFP4>(block, out);
    case Type::AFFINE2:
    case Type::AFFINE3:
    case Type::AFFINE6:
    case Type::AFFINE8: return unpack_from<file::AFFINE>(block, out);
    case Type::CODEBOOK: return unpack_from<file::CODEBOOK>(block, out);
    case Type::CODEBOOK32: return unpack_from<file::CODEBOOK32>(block, out);
    default: throw std::invalid_argument("type has no integer blocks");
  }
}

}  // namespace mlxr
