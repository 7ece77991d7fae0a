#include "kernels/block_table.h"

namespace mlxr {

extern constexpr BlockKernels kBlocks_portable = portable::table();

}  // namespace mlxr
