#define MLXR_SIMD_NEON
#include "kernels/block_table.h"

namespace mlxr {

extern constexpr BlockKernels kBlocks_neon = neon::table();

}  // namespace mlxr
