// What tiles take over from AVX-512: products of integer types, the activations of some, and their bound.
#pragma once

#include <array>

#include "kernels/matmul_args.h"

namespace mlxr::kernels {

// A function for each storage type; null for those that AVX-512 keeps.
std::array<Matmul, kTypeCount> tile_matmul();

// Activations for those of them that sum up superblocks; without a function likewise.
Quantize tile_quantize();

// Products of whole tiles with 16-bit activations, two of bytes each, out of registers alone; returns how many.
int64_t multiply_tiles(int64_t rounds);

}  // namespace mlxr::kernels
