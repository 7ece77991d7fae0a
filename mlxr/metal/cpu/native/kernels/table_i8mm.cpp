#include "kernels/lanes_i8mm.h"
#include "kernels/make_table.h"

namespace mlxr {

extern constexpr KernelTable kI8mmKernels =
    kernels::make_table<simd::Neon, kernels::I8mmLanes>(kernels::matmul_functions<kernels::I8mmLanes>());

}  // namespace mlxr
