#include "kernels/lanes_portable.h"
#include "kernels/make_table.h"

namespace mlxr {

namespace kernels {
std::array<Matmul, kTypeCount> portable_matmul();
}

extern const KernelTable kPortableKernels =
    kernels::make_table<simd::Portable, kernels::PortableLanes>(kernels::portable_matmul());

}  // namespace mlxr
