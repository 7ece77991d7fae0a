#include "kernels/lanes_avx512.h"
#include "kernels/matmul_table.h"

namespace mlxr::kernels {

KernelTable avx512_kernels() { return make_table<Avx512>(); }

}  // namespace mlxr::kernels
