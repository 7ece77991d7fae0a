// How a matrix lies in memory once packed, the same for every instruction set.
//
// A panel holds 16 output features. Codes and scales of all panels are two streams, each read from front to back.
//
// Integer types, per block of 32 input features: a vector is 64 bytes, 4 for each output feature, and vector g of codes
// holds the input features 4g .. 4g + 3. Codes of fewer bits share bytes, as many as fit whole; the others lie in the
// bits that are left over. From the lowest bit up, with c[i..j] for bits i to j of code c:
//   2 bits  2 vectors: vector h is 4h, 4h + 1, 4h + 2, 4h + 3
//   3 bits  3 vectors: (0, 1, 6[0..1]), (2, 3, 7[0..1]), (4, 5, 6[2], 7[2])
//   4 bits  4 vectors: vector j is j, j + 4
//   5 bits  5 vectors: (0, 5[0..2]), (1, 5[3..4], 7[3]), (2, 6[0..2]), (3, 6[3..4], 7[4]), (4, 7[0..2])
//   6 bits  6 vectors, in each half of the block 3: (0, 3[0..1]), (1, 3[2..3]), (2, 3[4..5])
//   8 bits  8 vectors, with 128 added
// Floating types, per input feature: 16 values side by side; NF4: 16 bytes for two input features, low nibble first.
//
// Scales, 16 of each side by side:
//   Half                d (half)                                                     per block
//   HalfMin             d, m (half)                                                  per block
//   SuperMin            d, dmin (half), then per block 6-bit scale, 6-bit minimum    per 8 blocks
//   SuperHalves         d (half), then per block scales of its halves                per 8 blocks; Q3_K's both negated
//   SuperHalvesMin      d, dmin (half), then per block (scale | min << 4) of halves  per 8 blocks
//   Super               d (half), then per block a signed scale                      per 8 blocks
//   SuperFloat          d (float)                                                    per 8 blocks
//   SuperFloatSigned    d (float), then per block a signed scale                     per 8 blocks
//   SuperFloatHalves    d (float), then per block scales of its halves               per 8 blocks
//   Halves              scales of the block's halves (half)                          per block
//   Span                scale (float)                                                per scale_span input features
#pragma once

#include <cstddef>
#include <cstdint>

#include "quant/formats.h"

namespace mlxr::packed {

enum class Codes { Bits2, Bits3, Bits4, Bits5, Bits6, Bits8, Table4, Floating };
enum class Scales {
  None,
  Half,
  HalfMin,
  SuperMin,
  SuperHalves,
  SuperHalvesMin,
  Super,
  SuperFloat,
  SuperFloatSigned,
  SuperFloatHalves,
  Halves,
  Span
};

struct Layout {
  Codes codes;
  Scales scales;
  int zero;  // subtracted from a code
};

constexpr Layout layout(Type type) {
  switch (type) {
    case Type::Q4_0: return {Codes::Bits4, Scales::Half, 8};
    case Type::Q4_1: return {Codes::Bits4, Scales::HalfMin, 0};
    case Type::Q5_0: return {Codes::Bits5, Scales::Half, 16};
    case Type::Q5_1: return {Codes::Bits5, Scales::HalfMin, 0};
    case Type::Q8_0: return {Codes::Bits8, Scales::Half, 0};
    case Type::Q2_K: return {Codes::Bits2, Scales::SuperHalvesMin, 0};
    case Type::Q3_K: return {Codes::Bits3, Scales::SuperHalves, 4};
    case Type::Q4_K: return {Codes::Bits4, Scales::SuperMin, 0};
    case Type::Q5_K: return {Codes::Bits5, Scales::SuperMin, 0};
    case Type::Q6_K: return {Codes::Bits6, Scales::SuperHalves, 32};
    case Type::Q8_K: return {Codes::Bits8, Scales::SuperFloat, 0};
    case Type::IQ4_NL: return {Codes::Table4, Scales::Half, 0};
    case Type::IQ4_XS: return {Codes::Table4, Scales::Super, 0};
    case Type::MXFP4: return {Codes::Table4, Scales::Half, 12};
    case Type::NVFP4: return {Codes::Table4, Scales::Halves, 12};
    case Type::CODEBOOK: return {Codes::Table4, Scales::SuperFloatHalves, 64};
    case Type::CODEBOOK32: return {Codes::Table4, Scales::SuperFloatSigned, 64};
    case Type::AFFINE2: return {Codes::Bits2, Scales::HalfMin, 0};
    case Type::AFFINE3: return {Codes::Bits3, Scales::HalfMin, 0};
    case Type::AFFINE6: return {Codes::Bits6, Scales::HalfMin, 0};
    case Type::AFFINE8: return {Codes::Bits8, Scales::HalfMin, -128};
    case Type::FP8_E4M3:
    case Type::NF4: return {Codes::Floating, Scales::Span, 0};
    default: return {Codes::Floating, Scales::None, 0};
  }
}

// Bits of a code as it is stored.
constexpr int stored_bits(Codes codes) {
  switch (codes) {
    case Codes::Bits2: return 2;
    case Codes::Bits3: return 3;
    case Codes::Bits4:
    case Codes::Table4: return 4;
    case Codes::Bits5: return 5;
    case Codes::Bits6: return 6;
    default: return 8;
  }
}

// Bits of a code as it is multiplied: a table holds bytes, which cover twice a zero point. Those of 8 bits carry a bias
// of 128, which is taken away from whole blocks: where halves have their own scales, codes have fewer bits.
constexpr int multiplied_bits(Layout layout) {
  if (layout.codes != Codes::Table4) return stored_bits(layout.codes);
  return layout.zero == 0 ? 8 : layout.zero < 16 ? 5 : 7;
}

// What is added to a table's values so that they are bytes without a sign.
constexpr int table_bias(Layout layout) { return layout.zero == 0 ? 128 : layout.zero; }

// Bytes of the codes of one block of 16 x 32 weights.
constexpr size_t code_bytes(Codes codes) { return static_cast<size_t>(stored_bits(codes)) * 64; }

// As many as a block of the file has.
constexpr int blocks_per_super(Scales scales) {
  switch (scales) {
    case Scales::Half:
    case Scales::HalfMin: return 1;
    case Scales::Halves: return 2;
    default: return 8;
  }
}

// Bytes at the start of a superblock, and of each of its blocks.
constexpr size_t header_bytes(Scales scales) {
  switch (scales) {
    case Scales::HalfMin:
    case Scales::SuperMin:
    case Scales::SuperHalvesMin:
    case Scales::SuperFloat:
    case Scales::SuperFloatSigned:
    case Scales::SuperFloatHalves: return 64;
    case Scales::Halves: return 0;
    default: return 32;
  }
}

constexpr size_t block_scale_bytes(Scales scales) {
  switch (scales) {
    case Scales::SuperMin:
    case Scales::SuperHalves:
    case Scales::SuperFloatHalves:
    case Scales::SuperHalvesMin: return 32;
    case Scales::Halves: return 64;
    case Scales::Super:
    case Scales::SuperFloatSigned: return 16;
    default: return 0;
  }
}

// Whether a superblock's d is a float and not a half.
constexpr bool has_float(Scales scales) {
  return scales == Scales::SuperFloat || scales == Scales::SuperFloatSigned || scales == Scales::SuperFloatHalves;
}

// Whether the halves of a block have scales of their own.
constexpr bool has_halves(Scales scales) {
  return scales == Scales::SuperHalves || scales == Scales::SuperHalvesMin || scales == Scales::SuperFloatHalves ||
         scales == Scales::Halves;
}

// Whether the sums of a block's halves are multiplied by their scales as integers, and d alone is a float. Sums of a
// block must stay below 2^31: Q6_K's do not (32 * 32 * 128 * 32639), and NVFP4's scales are no integers.
constexpr bool has_integer_scales(Type type) {
  return type == Type::Q2_K || type == Type::Q3_K || type == Type::CODEBOOK;
}

// The largest magnitude of a scale of CODEBOOK, so that its sums stay below 2^31 (32 * 64 * 32 * 32639).
inline constexpr int kLargestCodebookScale = 32;

// Whether weights times such a scale are bytes: 0 .. 45 of Q2_K, and of Q3_K, whose scales are kept negated as
// -32 * -4 would not be one, -128 .. 124.
constexpr bool scaled_fits_byte(Type type) { return type == Type::Q2_K || type == Type::Q3_K; }

// Whether a machine with tiles makes one integer sum of a whole superblock, whose activations then share a scale.
constexpr bool has_superblock_sums(Type type) {
  return type == Type::Q4_K || type == Type::Q5_K || type == Type::Q6_K || type == Type::CODEBOOK;
}

// Bits of an integer scale.
constexpr int scale_bits(Type type) { return type == Type::Q2_K ? 4 : 8; }

// Bytes of one panel's floating weights.
constexpr size_t floating_panel_bytes(Type type, int64_t cols) {
  const size_t n = static_cast<size_t>(cols);
  switch (type) {
    case Type::F32: return n * 64;
    case Type::F16:
    case Type::BF16: return n * 32;
    case Type::FP8_E4M3: return n * 16;
    default: return (n + 1) / 2 * 16;
  }
}

}  // namespace mlxr::packed
