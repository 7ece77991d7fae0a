#include "kernels/lanes_portable.h"
#include "kernels/matmul_table.h"

namespace mlxr::kernels {

KernelTable portable_kernels() { return make_table<Portable>(); }

}  // namespace mlxr::kernels
