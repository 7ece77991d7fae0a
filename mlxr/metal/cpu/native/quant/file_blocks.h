// Reading a file's blocks: every integer format taken apart into the same few numbers.
#pragma once

#include <cstdint>

#include "quant/formats.h"

namespace mlxr {

// One block of 32 or 256 weights. Weight i is  d * scale[i / g] * (code[i] - zero point) - dmin * min[i / g]  with g
// the values of a sub-block (see Format); formats without sub-block scales or minima leave those fields alone; Q4_1,
// Q5_1 and AFFINE keep in dmin the minimum that is added. Codes of 8-bit formats and IQ4 are signed bytes (IQ4: the
// index into its table).
struct UnpackedBlock {
  float d;
  float dmin;
  uint16_t d_half, dmin_half;  // the same as half floats, where the file has them so
  uint8_t codes[256];
  int8_t scales[16];
  uint16_t half_scales[4];  // NVFP4: scales of 16 weights as half floats
  uint8_t mins[16];
};

void unpack_block(Type type, const uint8_t* block, UnpackedBlock& out);

}  // namespace mlxr
