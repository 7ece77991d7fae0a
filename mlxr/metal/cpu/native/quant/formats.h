// Storage types of a matrix and their blocks as they lie in a file.
//
// Layouts are those of ggml (ggml-common.h), and for FP8 and NF4 those of safetensors checkpoints;
// mlxr/metal/tensors.py holds the same table for Python.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mlxr {

enum class Type : uint8_t {
  F32,
  F16,
  BF16,
  Q4_0,
  Q4_1,
  Q5_0,
  Q5_1,
  Q8_0,
  Q2_K,
  Q3_K,
  Q4_K,
  Q5_K,
  Q6_K,
  Q8_K,
  IQ4_NL,
  IQ4_XS,
  MXFP4,
  NVFP4,
  CODEBOOK,
  CODEBOOK32,
  AFFINE2,
  AFFINE3,
  AFFINE6,
  AFFINE8,
  FP8_E4M3,
  NF4
};

struct BlockShape {
  int values;  // weights of one block
  int bytes;   // its size in the file
};

struct TypeInfo {
  Type type;
  std::string_view name;
  BlockShape block;
};

inline constexpr TypeInfo kTypes[] = {
    {Type::F32, "F32", {1, 4}},
    {Type::F16, "F16", {1, 2}},
    {Type::BF16, "BF16", {1, 2}},
    {Type::Q4_0, "Q4_0", {32, 18}},
    {Type::Q4_1, "Q4_1", {32, 20}},
    {Type::Q5_0, "Q5_0", {32, 22}},
    {Type::Q5_1, "Q5_1", {32, 24}},
    {Type::Q8_0, "Q8_0", {32, 34}},
    {Type::Q2_K, "Q2_K", {256, 84}},
    {Type::Q3_K, "Q3_K", {256, 110}},
    {Type::Q4_K, "Q4_K", {256, 144}},
    {Type::Q5_K, "Q5_K", {256, 176}},
    {Type::Q6_K, "Q6_K", {256, 210}},
    {Type::Q8_K, "Q8_K", {256, 292}},
    {Type::IQ4_NL, "IQ4_NL", {32, 18}},
    {Type::IQ4_XS, "IQ4_XS", {256, 136}},
    {Type::MXFP4, "MXFP4", {32, 17}},
    {Type::NVFP4, "NVFP4", {64, 36}},
    {Type::CODEBOOK, "CODEBOOK", {256, 148}},
    {Type::CODEBOOK32, "CODEBOOK32", {256, 140}},
    {Type::AFFINE2, "AFFINE2", {32, 36}},
    {Type::AFFINE3, "AFFINE3", {32, 36}},
    {Type::AFFINE6, "AFFINE6", {32, 36}},
    {Type::AFFINE8, "AFFINE8", {32, 36}},
    {Type::FP8_E4M3, "FP8_E4M3", {1, 1}},
    {Type::NF4, "NF4", {2, 1}},
};

constexpr const TypeInfo& info(Type type) { return kTypes[static_cast<size_t>(type)]; }

// Bytes of one row in the file; cols must fill whole blocks.
constexpr size_t row_bytes(Type type, int64_t cols) {
  return static_cast<size_t>(cols / info(type).block.values) * static_cast<size_t>(info(type).block.bytes);
}

// Types whose 16 values come with the matrix.
constexpr bool is_codebook(Type type) { return type == Type::CODEBOOK || type == Type::CODEBOOK32; }

// Types whose weights stay floats and meet float32 activations; all others meet 16-bit activations.
constexpr bool is_floating(Type type) {
  return type == Type::F32 || type == Type::F16 || type == Type::BF16 || type == Type::FP8_E4M3 || type == Type::NF4;
}

// Blocks as ggml writes them. Half floats are kept as their 16 bits.
namespace file {

// clang-format off: a block a line
struct Q4_0 { uint16_t d; uint8_t qs[16]; };
struct Q4_1 { uint16_t d, m; uint8_t qs[16]; };
struct Q5_0 { uint16_t d; uint8_t qh[4]; uint8_t qs[16]; };
struct Q5_1 { uint16_t d, m; uint8_t qh[4]; uint8_t qs[16]; };
struct Q8_0 { uint16_t d; int8_t qs[32]; };
struct Q2_K { uint8_t scales[16]; uint8_t qs[64]; uint16_t d, dmin; };
struct Q3_K { uint8_t hmask[32]; uint8_t qs[64]; uint8_t scales[12]; uint16_t d; };
struct Q4_K { uint16_t d, dmin; uint8_t scales[12]; uint8_t qs[128]; };
struct Q5_K { uint16_t d, dmin; uint8_t scales[12]; uint8_t qh[32]; uint8_t qs[128]; };
struct Q6_K { uint8_t ql[128]; uint8_t qh[64]; int8_t scales[16]; uint16_t d; };
struct Q8_K { float d; int8_t qs[256]; int16_t bsums[16]; };
struct IQ4_NL { uint16_t d; uint8_t qs[16]; };
struct IQ4_XS { uint16_t d; uint16_t scales_h; uint8_t scales_l[4]; uint8_t qs[128]; };
struct MXFP4 { uint8_t e; uint8_t qs[16]; };
struct NVFP4 { uint8_t scales[4]; uint8_t qs[32]; };
// mlxr's own, what types of few bits are rewritten as (mlxr/metal/codebooks.py), with a scale for each 16 weights or
// for each 32: an even weight's code is the low nibble.
struct CODEBOOK { float d; int8_t scales[16]; uint8_t qs[128]; };
struct CODEBOOK32 { float d; int8_t scales[8]; uint8_t qs[128]; };
// Likewise of codes of 2, 3, 6 or 8 bits, a byte each, those of 8 less 128 (mlxr/metal/affine.py): d * code + m.
struct AFFINE { uint16_t d, m; uint8_t qs[32]; };
// clang-format on

static_assert(sizeof(Q4_0) == 18 && sizeof(Q4_1) == 20 && sizeof(Q5_0) == 22 && sizeof(Q5_1) == 24);
static_assert(sizeof(Q8_0) == 34 && sizeof(Q2_K) == 84 && sizeof(Q3_K) == 110 && sizeof(Q4_K) == 144);
static_assert(sizeof(Q5_K) == 176 && sizeof(Q6_K) == 210 && sizeof(Q8_K) == 292);
static_assert(sizeof(IQ4_NL) == 18 && sizeof(IQ4_XS) == 136 && sizeof(MXFP4) == 17 && sizeof(NVFP4) == 36);
static_assert(sizeof(CODEBOOK) == 148 && sizeof(CODEBOOK32) == 140 && sizeof(AFFINE) == 36);

}  // namespace file

// The sixteen values of IQ4_NL and IQ4_XS (ggml-common.h, kvalues_iq4nl).
inline constexpr int8_t kIq4Values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
// Those of MXFP4 and NVFP4, doubled (OCP Microscaling Formats 1.0: E2M1).
inline constexpr int8_t kFp4Values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace mlxr
