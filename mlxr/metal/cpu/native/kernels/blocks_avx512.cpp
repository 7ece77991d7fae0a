#define MLXR_SIMD_AVX512
#include "kernels/block_table.h"

namespace mlxr {

extern constexpr BlockKernels kBlocks_avx512 = avx512::table();

}  // namespace mlxr
