#include "kernels/lanes_i8mm.h"
#include "kernels/matmul_table.h"

namespace mlxr::kernels {

KernelTable i8mm_kernels() { return make_table<I8mm>(); }

}  // namespace mlxr::kernels
