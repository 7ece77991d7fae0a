// Tiles in plain C++, so that kernels that use them are tested on machines without them. Meanings are those of the
// Intel Instruction Set Extensions Programming Reference, chapter 3: what lies beyond a tile's rows and their bytes is
// zero.
#pragma once

#include <cstdint>
#include <cstring>

namespace mlxr::emulated {

struct TileState {
  struct Tile { uint8_t bytes[16][64]; };
  Tile tiles[8];
  int rows[8], row_bytes[8];
};

inline TileState& tile_state() {
  thread_local TileState state;
  return state;
}

struct Tiles {
  template <class Config>
  [[gnu::noinline]] static void configure(const Config& config) {
    TileState& state = tile_state();
    std::memset(&state, 0, sizeof(state));
    for (int tile = 0; tile < 8; ++tile) {
      state.rows[tile] = config.rows[tile];
      state.row_bytes[tile] = config.row_bytes[tile];
    }
  }
  [[gnu::noinline]] static void release() { std::memset(&tile_state(), 0, sizeof(TileState)); }

  template <int kTile>
  [[gnu::noinline]] static void zero() {
    std::memset(&tile_state().tiles[kTile], 0, sizeof(TileState::Tile));
  }
  template <int kTile>
  [[gnu::noinline]] static void load(const void* p, int64_t stride) {
    TileState& state = tile_state();
    zero<kTile>();
    for (int row = 0; row < state.rows[kTile]; ++row) {
      std::memcpy(state.tiles[kTile].bytes[row], static_cast<const uint8_t*>(p) + row * stride,
                  static_cast<size_t>(state.row_bytes[kTile]));
    }
  }
  template <int kTile>
  [[gnu::noinline]] static void store(void* p) {
    const TileState& state = tile_state();
    for (int row = 0; row < state.rows[kTile]; ++row) {
      std::memcpy(static_cast<uint8_t*>(p) + 64 * row, state.tiles[kTile].bytes[row],
                  static_cast<size_t>(state.row_bytes[kTile]));
    }
  }
  template <int kSums, int kX, int kW, bool kSignedX, bool kSignedW>
  [[gnu::noinline]] static void add_products() {
    TileState& state = tile_state();
    for (int row = 0; row < state.rows[kSums]; ++row) {
      for (int lane = 0; lane < state.row_bytes[kSums] / 4; ++lane) {
        uint32_t sum;
        std::memcpy(&sum, state.tiles[kSums].bytes[row] + 4 * lane, sizeof(sum));
        for (int i = 0; i < state.row_bytes[kX]; ++i) {
          const uint8_t x = state.tiles[kX].bytes[row][i], w = state.tiles[kW].bytes[i / 4][4 * lane + i % 4];
          const int product = (kSignedX ? static_cast<int8_t>(x) : x) * (kSignedW ? static_cast<int8_t>(w) : w);
          sum += static_cast<uint32_t>(product);
        }
        std::memcpy(state.tiles[kSums].bytes[row] + 4 * lane, &sum, sizeof(sum));
      }
    }
  }
};

}  // namespace mlxr::emulated
