#include "kernels/tile_table.h"
#include "kernels/tiles.h"

#ifdef MLXR_TILES
#include "kernels/lanes_avx512.h"
#include "kernels/superblock_tiles.h"
#include "kernels/tile_matmul.h"
#endif

namespace mlxr::kernels {

#ifdef MLXR_TILES

namespace {

template <int kIndex>
Matmul of_type() {
  constexpr Type kType = kTypes[kIndex].type;
  if constexpr (packed::has_superblock_sums(kType)) {
    return SuperblockTiles<Avx512Lanes, kType>::run;
  } else if constexpr (is_floating(kType) ||
                       (packed::has_halves(packed::layout(kType).scales) && !packed::scaled_fits_byte(kType))) {
    return nullptr;
  } else {
    return TileMatmul<Avx512Lanes, kType>::run;
  }
}

}  // namespace

std::array<Matmul, kTypeCount> tile_matmul() {
  return []<int... kIndices>(std::integer_sequence<int, kIndices...>) {
    return std::array<Matmul, kTypeCount>{of_type<kIndices>()...};
  }(std::make_integer_sequence<int, kTypeCount>());
}

Quantize tile_quantize() {
  return {quantize_superblocks<Avx512Lanes>, sizeof(SuperblockActivations) / SuperblockActivations::kBlocks};
}

int64_t multiply_tiles(int64_t rounds) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) config.set(tile, kTileRows, kTileRowBytes);
  Tiles::configure(config);
  for (int64_t round = 0; round < rounds; ++round) {
    Tiles::add_products<0, 4, 6, true, false>();
    Tiles::add_products<1, 5, 6, true, false>();
    Tiles::add_products<2, 4, 7, true, false>();
    Tiles::add_products<3, 5, 7, true, false>();
  }
  Tiles::release();
  return rounds * 4 * kTileBytes * kTileRows / 2;
}

#else

std::array<Matmul, kTypeCount> tile_matmul() { return {}; }
Quantize tile_quantize() { return {}; }
int64_t multiply_tiles(int64_t) { return 0; }

#endif

}  // namespace mlxr::kernels
