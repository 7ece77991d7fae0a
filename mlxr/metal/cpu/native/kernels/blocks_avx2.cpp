#define MLXR_SIMD_AVX2
#include "kernels/block_table.h"

namespace mlxr {

extern constexpr BlockKernels kBlocks_avx2 = avx2::table();

}  // namespace mlxr
