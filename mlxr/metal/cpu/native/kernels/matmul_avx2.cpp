#include "kernels/lanes_avx2.h"
#include "kernels/matmul_table.h"

namespace mlxr::kernels {

KernelTable avx2_kernels() { return make_table<Avx2>(); }

}  // namespace mlxr::kernels
