// Integer weights times 16-bit activations on tiles: the products of integer_matmul.h for many rows, with the same
// bits.
//
// A unit is 16 activation rows, two panels and a few blocks. Tiles multiply the high bytes of a block and the low ones;
// vectors then put the two sums together and apply scales, in integer_matmul.h's order. Types whose halves of a block
// have scales of their own are for tiles where weights times these are bytes; others would take as many products and
// stores of tiles for half as many inputs.
#pragma once

#include <cstring>
#include <utility>

#include "kernels/integer_matmul.h"
#include "kernels/tiles.h"

namespace mlxr::kernels {

// A row of sums of high bytes, and of low ones, as they begin for join_started.
template <class V>
struct alignas(64) TileStarts {
  int32_t high[kLanes], low[kLanes];
  constexpr TileStarts() : high{}, low{} {
    for (int lane = 0; lane < kLanes; ++lane) {
      high[lane] = V::kHighStart;
      low[lane] = V::kLowStart;
    }
  }
};

template <class V, Type kType>
struct TileMatmul {
  using Vectors = IntegerMatmul<V, kType>;
  using Floats = typename V::Floats;
  using Scale = BlockScales<V, kType>;
  using X = typename V::Block;
  static constexpr packed::Layout kLayout = packed::layout(kType);
  static_assert(Scale::kParts == 1);
  // Multiplied less their bias, as signed bytes.
  static constexpr bool kSigned = (Vectors::kScaled ? Vectors::kScaledBits : Vectors::kBits) == 8;
  static constexpr int kPanels = 2;
  static constexpr int kUnitBlocks = 4;
  static constexpr int kChunkRows = 64;  // activation rows for which a block is spread out once
  static constexpr int kGroups = kChunkRows / static_cast<int>(kTileRows);
  static constexpr int kStretchBlocks = 32;  // of activations that are laid out at a time
  static constexpr int kHalfRows = 8;        // of a tile: the sums of two panels then fill 16 registers

  // Sums of the second panel begin as floats do (join_started): that takes loads for the conversions that it saves, so
  // that one panel of each kind leaves neither in the way.
  static constexpr TileStarts<V> kStarts{};

  // A block of 16 activation rows, side by side: as they lie in memory, rows are far apart and cross its lines.
  struct alignas(64) RowBlock {
    int8_t high[kTileRows][kBlock], low[kTileRows][kBlock];
    float scale[kTileRows], sums[Scale::kMinParts][kTileRows];
  };
  // A block of both panels, as tiles and vectors take it.
  struct alignas(64) Block {
    uint8_t weights[kPanels][8][kTileRowBytes];
    float scale[kPanels][kLanes], min[Scale::kMinParts][kPanels][kLanes];
  };
  // Sums of a block's products, of high bytes and of low ones.
  struct alignas(64) Products { int32_t sums[kPanels][2][kTileRows][kLanes]; };
  // What a unit is computed from. Sums of its rows so far are read, and written, `stride` floats apart, the second
  // panel's behind the first's.
  struct Unit {
    const RowBlock* x;
    int blocks;
    const float* from;
    int64_t from_stride;
    float* to;
    int64_t to_stride;
  };

  const MatmulArgs& a;
  RowBlock rows[kGroups][kStretchBlocks];
  Block spread[kUnitBlocks];
  Products products[kUnitBlocks];
  alignas(64) float sums[kChunkRows][kPanels * kLanes];
  alignas(64) float zeros[kPanels * kLanes] = {};

  explicit TileMatmul(const MatmulArgs& args) : a(args) {
    TileConfig config;
    for (int tile = 0; tile < 8; ++tile) config.set(tile, kTileRows, kTileRowBytes);
    for (const int tile : {4, 5}) config.set(tile, kTileRows, kBlock);
    for (const int tile : {6, 7}) config.set(tile, kBlock / 4, kTileRowBytes);
    Tiles::configure(config);
  }
  ~TileMatmul() { Tiles::release(); }
  TileMatmul(const TileMatmul&) = delete;
  TileMatmul& operator=(const TileMatmul&) = delete;

  // Sums of the second panel are stored beside the next block's first products: a product takes its time to be there.
  [[gnu::always_inline]] void multiply_blocks(const Unit& unit) {
    for (int block = 0; block < unit.blocks; ++block) {
      const RowBlock& x = unit.x[block];
      const Block& w = spread[block];
      Tiles::load<4>(x.high, kBlock);
      Tiles::load<6>(w.weights[0], kTileRowBytes);
      Tiles::zero<0>();
      Tiles::add_products<0, 4, 6, true, kSigned>();
      Tiles::load<5>(x.low, kBlock);
      Tiles::zero<1>();
      Tiles::add_products<1, 5, 6, true, kSigned>();
      if (block > 0) store_second(products[block - 1]);
      Tiles::load<7>(w.weights[1], kTileRowBytes);
      Tiles::load<2>(kStarts.high, 0);
      Tiles::add_products<2, 4, 7, true, kSigned>();
      Tiles::load<3>(kStarts.low, 0);
      Tiles::add_products<3, 5, 7, true, kSigned>();
      Tiles::store<0>(products[block].sums[0][0]);
      Tiles::store<1>(products[block].sums[0][1]);
    }
    store_second(products[unit.blocks - 1]);
  }
  [[gnu::always_inline]] static void store_second(Products& to) {
    Tiles::store<2>(to.sums[1][0]);
    Tiles::store<3>(to.sums[1][1]);
  }

  // Adds a block's contribution to one row of both panels.
  [[gnu::always_inline]] static void add_row(const Products& of, const Block& w, const RowBlock& x, int row,
                                             Floats (&out)[kPanels]) {
    const Floats first = V::to_floats(V::join(of.sums[0][0][row], of.sums[0][1][row]));
    const Floats second = V::join_started(of.sums[1][0][row], of.sums[1][1][row]);
    const Floats scale = V::splat(x.scale[row]);
    out[0] = V::fma(scale, V::mul(V::load(w.scale[0]), first), out[0]);
    out[1] = V::fma(scale, V::mul(V::load(w.scale[1]), second), out[1]);
    if constexpr (Scale::kHasMin) {
      for (int i = 0; i < Scale::kMinParts; ++i) {
        const Floats sum = V::splat(x.sums[i][row]);
        out[0] = V::fma(V::load(w.min[i][0]), sum, out[0]);
        out[1] = V::fma(V::load(w.min[i][1]), sum, out[1]);
      }
    }
  }

  // Half a tile's rows, from `first` on.
  template <int... kRow>
  [[gnu::always_inline]] void add_half(const Unit& unit, int first, std::integer_sequence<int, kRow...>) {
    Floats out[kHalfRows][kPanels];
    const float* from = unit.from + first * unit.from_stride;
    ((out[kRow][0] = V::load(from + kRow * unit.from_stride),
      out[kRow][1] = V::load(from + kRow * unit.from_stride + kLanes)),
     ...);
    for (int block = 0; block < unit.blocks; ++block) {
      (add_row(products[block], spread[block], unit.x[block], first + kRow, out[kRow]), ...);
    }
    float* to = unit.to + first * unit.to_stride;
    ((V::store(to + kRow * unit.to_stride, out[kRow][0]), V::store(to + kRow * unit.to_stride + kLanes, out[kRow][1])),
     ...);
  }

  void add_unit(const Unit unit) {
    multiply_blocks(unit);
    constexpr auto kRows = std::make_integer_sequence<int, kHalfRows>();
    add_half(unit, 0, kRows);
    add_half(unit, kHalfRows, kRows);
  }

  // Where a panel's codes and scales are read on.
  struct Source {
    const uint8_t* codes;
    const uint8_t* scales;
    Scale scale;
  };

  // Spreads out `count` blocks of both panels, from `first` on; their scales' superblock may have begun before.
  void spread_blocks(Source (&from)[kPanels], int64_t first, int count) {
    for (int p = 0; p < kPanels; ++p) {
      Source& source = from[p];
      for (int block = 0; block < count; ++block) {
        if ((first + block) % packed::blocks_per_super(kLayout.scales) == 0) source.scale.open(source.scales);
        source.scale.next(source.scales);
        V::store(spread[block].scale[p], source.scale.scale[0]);
        if constexpr (Scale::kHasMin) {
          for (int i = 0; i < Scale::kMinParts; ++i) V::store(spread[block].min[i][p], source.scale.min[i]);
        }
        typename Vectors::AnySpread weights;
        weights.set(typename Vectors::Codes{source.codes, a.table}, source.scale);
        for (int g = 0; g < 8; ++g) V::template store_weights<kSigned>(weights.weights[g], spread[block].weights[p][g]);
        source.codes += packed::code_bytes(kLayout.codes);
        for (size_t line = 0; line < packed::code_bytes(kLayout.codes); line += 64) {
          V::prefetch(source.codes + V::kPrefetch / 2 + line);
        }
      }
    }
    asm volatile("" : : "r"(spread) : "memory");
  }

  // `count` blocks of a tile's rows.
  void lay_out_rows(int group, const X* x, int64_t count) {
    const int64_t blocks = a.cols / kBlock;
    for (int64_t r = 0; r < kTileRows; ++r) {
      for (int64_t block = 0; block < count; ++block) {
        const X& from = x[r * blocks + block];
        RowBlock& to = rows[group][block];
        std::memcpy(to.high[r], from.high, kBlock);
        std::memcpy(to.low[r], from.low, kBlock);
        to.scale[r] = from.scale;
        const float* sums = Scale::kMinParts == 1 ? &from.scaled_sum : from.scaled_half_sums;
        for (int i = 0; i < Scale::kMinParts; ++i) to.sums[i][r] = sums[i];
      }
    }
    asm volatile("" : : "r"(rows) : "memory");
  }

  // Rows [first, last), at least a tile of them and at most a chunk, of panels [begin, end), whole pairs.
  void multiply(int64_t first, int64_t last, int64_t begin, int64_t end, typename Vectors::Stretch stretch) {
    constexpr int kSuper = packed::blocks_per_super(kLayout.scales);
    constexpr size_t kSuperBytes =
        packed::header_bytes(kLayout.scales) + kSuper * packed::block_scale_bytes(kLayout.scales);
    const auto* x = static_cast<const X*>(a.x_blocks) + stretch.begin;
    // The last tile may take rows again that the one before it had: their sums are its own.
    const auto row_of = [&](int group) {
      const int64_t row = first + group * kTileRows;
      return row + kTileRows <= last ? row : last - kTileRows;
    };
    const int groups = static_cast<int>((last - first + kTileRows - 1) / kTileRows);
    for (int group = 0; group < groups; ++group) {
      lay_out_rows(group, x + row_of(group) * (a.cols / kBlock), stretch.end - stretch.begin);
    }
    for (int64_t panel = begin; panel < end; panel += kPanels) {
      Source from[kPanels];
      for (int p = 0; p < kPanels; ++p) {
        const auto at = static_cast<size_t>(panel + p), skipped = static_cast<size_t>(stretch.begin);
        from[p].codes = a.codes + at * a.panel_code_bytes + skipped * packed::code_bytes(kLayout.codes);
        from[p].scales = a.scales + at * a.panel_scale_bytes + skipped / kSuper * kSuperBytes;
      }
      for (int64_t block = stretch.begin; block < stretch.end; block += kUnitBlocks) {
        const int64_t left = stretch.end - block;
        const int count = left < kUnitBlocks ? static_cast<int>(left) : kUnitBlocks;
        spread_blocks(from, block, count);
        for (int group = 0; group < groups; ++group) {
          float* const own = sums[group * kTileRows];
          float* const y = a.y + row_of(group) * a.ldy + panel * kLanes;
          Unit unit{rows[group] + (block - stretch.begin), count, own, kPanels * kLanes, own, kPanels * kLanes};
          if (block == stretch.begin) {
            unit.from = block == 0 ? zeros : y;
            unit.from_stride = block == 0 ? 0 : a.ldy;
          }
          if (block + count == stretch.end) {
            unit.to = y;
            unit.to_stride = a.ldy;
          }
          add_unit(unit);
        }
      }
    }
  }

  // Rows [0, rows_end) of panels [begin, end).
  void multiply_rows(int64_t rows_end, int64_t begin, int64_t end) {
    const int64_t blocks = a.cols / kBlock;
    for (int64_t first = 0; first < rows_end;) {
      // A chunk's rest is a tile at least.
      int64_t last = first + kChunkRows < rows_end ? first + kChunkRows : rows_end;
      if (last < rows_end && rows_end - last < kTileRows) last -= kTileRows;
      for (int64_t from = 0, to; from < blocks; from = to) {
        // More than a unit, or a tile that takes rows again would find their new sums in the result.
        const int64_t left = blocks - from;
        to = left <= kStretchBlocks ? blocks : from + (left < kStretchBlocks + 8 ? 16 : kStretchBlocks);
        multiply(first, last, begin, end, {from, to});
      }
      first = last;
    }
  }

  static void run(const MatmulArgs& a) {
    const int64_t whole = a.features / kLanes < a.end ? a.features / kLanes : a.end;
    const int64_t pairs_end = a.begin + (whole - a.begin) / kPanels * kPanels;
    if (a.alone || a.rows < kTileRows || pairs_end <= a.begin) return Vectors::run(a);
    constexpr int64_t kLeast = 6;  // rows of a tile that are worth one
    const int64_t rest = a.rows % kTileRows < kLeast ? a.rows % kTileRows : 0, rows = a.rows - rest;
    TileMatmul(a).multiply_rows(rows, a.begin, pairs_end);
    if (pairs_end < a.end) {
      MatmulArgs odd = a;
      odd.begin = pairs_end;
      odd.rows = rows;
      Vectors::run(odd);
    }
    if (rest > 0) {
      MatmulArgs few = a;
      few.rows = rest;
      few.x_blocks = static_cast<const X*>(a.x_blocks) + rows * (a.cols / kBlock);
      few.y += rows * a.ldy;
      Vectors::run(few);
    }
  }
};

}  // namespace mlxr::kernels
