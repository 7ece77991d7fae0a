#include "ops/page_rows.h"

#include <algorithm>
#include <cstring>

namespace mlxr {

void store_key(const KernelTable& kernels, const PageShape& shape, const float* key, int offset, uint8_t* keys) {
  const int dim = shape.head_dim, lane = offset % kGroup;
  uint8_t* const group = keys + offset / kGroup * shape.group_keys();
  if (shape.types.keys == NumberType::Half) {
    uint16_t* const to = reinterpret_cast<uint16_t*>(group) + lane;
    uint16_t half[kGroup];
    for (int d = 0; d < dim; d += kGroup) {
      const int count = std::min(kGroup, dim - d);
      kernels.to_half(key + d, count, half);
      for (int i = 0; i < count; ++i) to[(d + i) * kGroup] = half[i];
    }
    return;
  }
  auto* const scales = reinterpret_cast<uint16_t*>(group + int64_t{shape.scale_blocks()} * kCodeBlock * kGroup) + lane;
  for (int block = 0; block < shape.scale_blocks(); ++block) {
    uint8_t codes[kCodeBlock];
    std::memset(codes, 128, sizeof(codes));
    const int begin = block * kCodeBlock;
    kernels.to_codes(key + begin, std::min(kCodeBlock, dim - begin), kCodeBlock, codes, scales + block * kGroup);
    for (int quad = 0; quad < kCodeBlock / 4; ++quad) {
      std::memcpy(group + ((begin / 4 + quad) * kGroup + lane) * 4, codes + quad * 4, 4);
    }
  }
}

void store_value(const KernelTable& kernels, const PageShape& shape, float* value, int offset, uint8_t* values) {
  const int dim = shape.head_dim, stride = shape.value_stride();
  if (shape.types.values == NumberType::Half) {
    return kernels.to_half(value, dim, reinterpret_cast<uint16_t*>(values) + int64_t{offset} * stride);
  }
  uint8_t* const group = values + offset / kGroup * shape.group_values();
  const int token = offset % kGroup;
  // The numbers are not needed any more, and their codes are shorter.
  auto* const codes = reinterpret_cast<uint8_t*>(value);
  auto* const scales = reinterpret_cast<uint16_t*>(group + int64_t{stride} * kGroup);
  kernels.to_codes(value, dim, dim, codes, scales + token);
  uint8_t* const to = group + token / 4 * kGroup * 4 + token % 4;
  for (int d = 0; d < dim; ++d) to[d / kGroup * kGroup * kGroup + d % kGroup * 4] = codes[d];
}

}  // namespace mlxr
