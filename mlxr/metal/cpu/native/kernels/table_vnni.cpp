#include "kernels/int16_lanes_avx512.h"
#include "kernels/lanes_avx512.h"
#include "kernels/make_table.h"

namespace mlxr {

extern constexpr KernelTable kAvx512Kernels = kernels::make_table<simd::Avx512, kernels::Avx512Lanes>(
    kernels::matmul_functions<kernels::Avx512Lanes>(), kernels::int16_kernels<kernels::Avx512Int16>());

}  // namespace mlxr
