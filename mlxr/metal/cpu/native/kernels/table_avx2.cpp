#include "kernels/int16_lanes_avx2.h"
#include "kernels/lanes_avx2.h"
#include "kernels/make_table.h"

namespace mlxr {

extern constexpr KernelTable kAvx2Kernels = kernels::make_table<simd::Avx2, kernels::Avx2Lanes>(
    kernels::matmul_functions<kernels::Avx2Lanes>(), kernels::int16_kernels<kernels::Avx2Int16>());

}  // namespace mlxr
