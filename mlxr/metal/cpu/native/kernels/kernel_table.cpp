#include "kernels/kernel_table.h"

namespace mlxr {

#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
#elif defined(__aarch64__)
extern const KernelTable kNeonKernels;
extern const KernelTable kI8mmKernels;
#endif
extern const KernelTable kPortableKernels;

const KernelTable& kernel_table(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::Avx512: return kAvx512Kernels;
    case Isa::Avx2: return kAvx2Kernels;
#elif defined(__aarch64__)
    case Isa::I8mm: return kI8mmKernels;
    case Isa::Neon: return kNeonKernels;
#endif
    default: return kPortableKernels;
  }
}

}  // namespace mlxr
