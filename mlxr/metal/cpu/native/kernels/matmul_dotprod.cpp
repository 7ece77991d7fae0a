#include "kernels/lanes_neon.h"
#include "kernels/matmul_table.h"

namespace mlxr::kernels {

KernelTable neon_kernels() { return make_table<Neon>(); }

}  // namespace mlxr::kernels
