// Compiled with -O2: at -O3, GCC 12 vectorizes products over rows, and then reads from one row too many and rounds some
// lanes differently.
#include "kernels/lanes_portable.h"
#include "kernels/make_table.h"

namespace mlxr::kernels {

std::array<Matmul, kTypeCount> portable_matmul() { return matmul_functions<PortableLanes>(); }

}  // namespace mlxr::kernels
