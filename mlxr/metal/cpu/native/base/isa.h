// Which instruction sets this build has kernels for, and which of them this CPU can run.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace mlxr {

enum class Isa : unsigned char { Portable, Avx2, Avx512, Amx, Neon, I8mm };

std::string_view name(Isa isa);

// Avx2 asks for AVX2, FMA and F16C; Avx512 for F, BW, DQ, VL and VNNI; Amx for tiles of bytes as well, and the
// operating system's leave to use them; Neon for the dot product; I8mm for the product of byte matrices as well. Best
// first, Portable always last.
std::vector<Isa> usable_isas();

inline Isa best_isa() { return usable_isas().front(); }

}  // namespace mlxr
