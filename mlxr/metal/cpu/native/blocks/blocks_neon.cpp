#define MLXR_SIMD_NEON
#include "kernel_table.h"

namespace mlxr {

extern constexpr BlockKernels kBlocks_neon = neon::table();

}  // namespace mlxr
