// Tiles of Intel's Advanced Matrix Extensions (Instruction Set Extensions Programming Reference, chapter 3): 8 of them,
// each up to 16 rows of 64 bytes. Instructions name a tile by number, so that numbers are template arguments here.
//
// A thread configures its tiles before it uses them and releases them afterwards.
#pragma once

#include <cstdint>

#if defined(__AMX_INT8__) && defined(__linux__) && !defined(MLXR_EMULATED_AVX512)
#define MLXR_TILES
#include <immintrin.h>
#elif defined(MLXR_EMULATED_AVX512)
#define MLXR_TILES
#include "test/kernels/emulated_tiles.h"
#endif

namespace mlxr::kernels {

inline constexpr int64_t kTileRows = 16;
inline constexpr int64_t kTileRowBytes = 64;
inline constexpr int64_t kTileBytes = kTileRows * kTileRowBytes;

// Rows and their bytes, tile by tile.
struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};

  void set(int tile, int64_t count, int64_t bytes) {
    rows[tile] = static_cast<uint8_t>(count);
    row_bytes[tile] = static_cast<uint16_t>(bytes);
  }
};

#if defined(MLXR_TILES) && !defined(MLXR_EMULATED_AVX512)

struct Tiles {
  // GCC's own intrinsic names 8 of the 64 bytes as what it reads, and stores to the others could come late.
  static void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  static void release() { _tile_release(); }

  template <int kTile>
  [[gnu::always_inline]] static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  template <int kTile>
  [[gnu::always_inline]] static void load(const void* p, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(p), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  [[gnu::always_inline]] static void store(void* p) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(p), "r"(kTileRowBytes), "i"(kTile) : "memory");
  }
  // 32-bit sums += bytes of kX times bytes of kW, each with a sign or without.
  template <int kSums, int kX, int kW, bool kSignedX, bool kSignedW>
  [[gnu::always_inline]] static void add_products() {
    if constexpr (kSignedX && kSignedW) {
      asm volatile("tdpbssd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kW));
    } else if constexpr (kSignedX) {
      asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kW));
    } else if constexpr (kSignedW) {
      asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kW));
    } else {
      asm volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSums), "i"(kX), "i"(kW));
    }
  }
};

#elif defined(MLXR_EMULATED_AVX512)

using Tiles = emulated::Tiles;

#endif

}  // namespace mlxr::kernels
