#include "kernels/lanes_neon.h"
#include "kernels/make_table.h"

namespace mlxr {

extern constexpr KernelTable kNeonKernels =
    kernels::make_table<simd::Neon, kernels::NeonLanes>(kernels::matmul_functions<kernels::NeonLanes>());

}  // namespace mlxr
