#include "kernels/kernel_table.h"

#include "kernels/tile_table.h"

namespace mlxr {

#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
#elif defined(__aarch64__)
extern const KernelTable kNeonKernels;
extern const KernelTable kI8mmKernels;
#endif
extern const KernelTable kPortableKernels;

#if defined(__x86_64__)
namespace {

// AVX-512's, but for products on tiles.
KernelTable with_tiles() {
  KernelTable table = kAvx512Kernels;
  const auto matmul = kernels::tile_matmul();
  for (size_t type = 0; type < matmul.size(); ++type) {
    if (matmul[type] != nullptr) table.matmul[type] = matmul[type];
  }
  table.quantize_superblocks = kernels::tile_quantize();
  table.products = kernels::multiply_tiles;
  return table;
}

}  // namespace
#endif

const KernelTable& kernel_table(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::Amx: {
      static const KernelTable table = with_tiles();
      return table;
    }
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
