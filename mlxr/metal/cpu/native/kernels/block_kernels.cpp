#include "kernels/block_kernels.h"

namespace mlxr {

#if defined(__x86_64__)
extern const BlockKernels kBlocks_avx2;
extern const BlockKernels kBlocks_avx512;
#elif defined(__aarch64__)
extern const BlockKernels kBlocks_neon;
#endif
extern const BlockKernels kBlocks_portable;

const BlockKernels& block_kernels(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::Avx512: return kBlocks_avx512;
    case Isa::Avx2: return kBlocks_avx2;
#elif defined(__aarch64__)
    case Isa::I8mm:
    case Isa::Neon: return kBlocks_neon;
#endif
    default: return kBlocks_portable;
  }
}

}  // namespace mlxr
