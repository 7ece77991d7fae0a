// The products of superblock_matmul.h for many rows, on tiles, with the same bits.
//
// Weights times their scales are int16; so are activations. Tiles multiply high and low bytes of both, 64 input
// features deep, and add up a whole superblock before anything leaves them.
#pragma once

#include "kernels/superblock_matmul.h"
#include "kernels/tiles.h"

namespace mlxr::kernels {

template <class V, Type kType>
struct SuperblockTiles {
  using Few = SuperblockMatmul<V, kType>;
  using Floats = typename V::Floats;
  using Ints = typename V::Ints;
  using X = SuperblockActivations;
  static constexpr packed::Layout kLayout = packed::layout(kType);
  static constexpr int kBlocks = Few::kBlocks;
  static constexpr int kDeep = kTileRowBytes / kBlock;  // blocks of a tile
  static constexpr int kParts = kBlocks / kDeep;        // tiles of a superblock
  static constexpr int64_t kChunkRows = 256;            // for which a superblock is spread out once
  static constexpr int64_t kStretch = 4;  // superblocks of activations that stay in the caches while panels pass by
  static constexpr size_t kSuperBytes = Few::kHeaderBytes + kBlocks * Few::kScaleBytes;

  // A superblock of a panel: weights times their scales, as bytes, and minima, of two blocks each.
  struct alignas(64) Weights {
    uint8_t high[kParts][kTileRows][kTileRowBytes], low[kParts][kTileRows][kTileRowBytes];
    int16_t mins[kBlocks / 2][2 * kLanes];
  };
  // Sums of high bytes times high ones, high ones times the weights' low ones, the reverse, and low ones.
  struct alignas(64) Products { int32_t sums[4][kTileRows][kLanes]; };

  const MatmulArgs& a;
  const int64_t tile_rows;  // all of a tile, or of fewer rows those
  Weights weights;
  Products products;
  alignas(64) float sums[kChunkRows][kLanes];

  explicit SuperblockTiles(const MatmulArgs& args) : a(args), tile_rows(a.rows < kTileRows ? a.rows : kTileRows) {
    TileConfig config;
    for (int tile = 0; tile < 8; ++tile) config.set(tile, tile < 6 ? tile_rows : kTileRows, kTileRowBytes);
    Tiles::configure(config);
  }
  ~SuperblockTiles() { Tiles::release(); }
  SuperblockTiles(const SuperblockTiles&) = delete;
  SuperblockTiles& operator=(const SuperblockTiles&) = delete;

  // Each of four sums is added to in turn: a product takes its time to be there.
  [[gnu::always_inline]] void multiply_tiles(const X* x) {
    const int64_t stride = a.cols / kActivationSpan * static_cast<int64_t>(sizeof(X));
    Tiles::zero<0>();
    Tiles::zero<1>();
    Tiles::zero<2>();
    Tiles::zero<3>();
    for (int part = 0; part < kParts; ++part) {
      Tiles::load<4>(x->high + part * kTileRowBytes, stride);
      Tiles::load<6>(weights.high[part], kTileRowBytes);
      Tiles::add_products<0, 4, 6, true, true>();
      Tiles::load<7>(weights.low[part], kTileRowBytes);
      Tiles::add_products<1, 4, 7, true, false>();
      Tiles::load<5>(x->low + part * kTileRowBytes, stride);
      Tiles::add_products<2, 5, 6, true, true>();
      Tiles::add_products<3, 5, 7, true, false>();
    }
    Tiles::store<0>(products.sums[0]);
    Tiles::store<1>(products.sums[1]);
    Tiles::store<2>(products.sums[2]);
    Tiles::store<3>(products.sums[3]);
  }

  // Adds what tiles made of a superblock to the rows' sums.
  [[gnu::always_inline]] void add_products(const X* x, const typename Few::Super& super, float (*to)[kLanes]) const {
    const int64_t supers = a.cols / kActivationSpan;
    for (int64_t r = 0; r < tile_rows; ++r) {
      const auto sum = [&](int of) { return V::load_sums(products.sums[of][r]); };
      const Floats scale = V::splat(x[r * supers].scale);
      Floats out = V::load(to[r]);
      Few::add_sum(super.scale, scale, V::add(V::times_256(sum(0)), V::add(sum(1), sum(2))), sum(3), out);
      if constexpr (Few::kHasMin) {
        Ints high{}, low{};
        for (int pair = 0; pair < kBlocks / 2; ++pair) {
          const auto mins = V::load(reinterpret_cast<const uint8_t*>(weights.mins[pair]));
          V::add_int16_products(high, mins, V::repeat_32(x[r * supers].sum_high + 2 * pair));
          V::add_int16_products(low, mins, V::repeat_32(x[r * supers].sum_low + 2 * pair));
        }
        Few::add_sum(super.min, scale, high, low, out);
      }
      V::store(to[r], out);
    }
  }

  void spread(const uint8_t* codes, const uint8_t* scales) {
    for (int block = 0; block < kBlocks; ++block) {
      const typename Few::Codes from{codes, a.table};
      [&]<int... G>(std::integer_sequence<int, G...>) {
        const auto first = V::template factors<8, kLayout.zero>(scales);
        const auto last = Few::kHasMin ? first : V::template factors<8, kLayout.zero>(scales + kLanes);
        (store_group(V::int16_products(G < 4 ? first : last, from.template group<G>()), block, G), ...);
      }(std::make_integer_sequence<int, 8>());
      if (Few::kHasMin && block % 2 == 0) {
        const Ints mins = V::pair_int16(scales + kLanes, scales + Few::kScaleBytes + kLanes);
        V::template store_weights<false>(mins, reinterpret_cast<uint8_t*>(weights.mins[block / 2]));
      }
      for (size_t line = 0; line < Few::kCodeBytes; line += 64) V::prefetch(codes + V::kPrefetch + line);
      codes += Few::kCodeBytes;
      scales += Few::kScaleBytes;
    }
  }
  [[gnu::always_inline]] void store_group(const typename V::Int16Products& products, int block, int group) {
    const int part = block / kDeep, row = block % kDeep * 8 + group;
    V::template store_weights<false>(V::high_bytes(products), weights.high[part][row]);
    V::template store_weights<false>(V::low_bytes(products), weights.low[part][row]);
  }

  // Rows [first, last), a tile of them at least and a chunk at most, of superblocks [begin, end). The last tile may
  // take rows again that the one before it had: sums are loaded before any is stored.
  void multiply(int64_t first, int64_t last, int64_t begin, int64_t end) {
    const int64_t supers = a.cols / kActivationSpan;
    const auto* x = static_cast<const X*>(a.x_blocks);
    const int64_t groups = (last - first + kTileRows - 1) / kTileRows;
    const auto row_of = [&](int64_t group) {
      const int64_t row = first + group * kTileRows;
      return row + tile_rows <= last ? row : last - tile_rows;
    };
    const auto each_row = [&](auto visit) {
      for (int64_t group = 0; group < groups; ++group) {
        for (int64_t r = 0; r < tile_rows; ++r) visit(row_of(group) + r, sums[group * kTileRows + r]);
      }
    };
    for (int64_t panel = a.begin; panel < a.end; ++panel) {
      const auto at = static_cast<size_t>(panel), skipped = static_cast<size_t>(begin);
      const uint8_t* codes = a.codes + at * a.panel_code_bytes + skipped * kBlocks * Few::kCodeBytes;
      const uint8_t* scales = a.scales + at * a.panel_scale_bytes + skipped * kSuperBytes;
      each_row([&](int64_t row, float* sum) { V::store(sum, begin == 0 ? V::zero() : load_panel<V>(a, panel, row)); });
      for (int64_t super = begin; super < end; ++super) {
        spread(codes, scales + Few::kHeaderBytes);
        const auto opened = Few::open(scales);
        for (int64_t group = 0; group < groups; ++group) {
          const X* const own = x + row_of(group) * supers + super;
          multiply_tiles(own);
          add_products(own, opened, sums + group * kTileRows);
        }
        codes += kBlocks * Few::kCodeBytes;
        scales += kSuperBytes;
      }
      each_row([&](int64_t row, const float* sum) { store_panel<V>(a, panel, row, V::load(sum)); });
    }
  }

  void multiply_all() {
    const int64_t supers = a.cols / kActivationSpan;
    for (int64_t first = 0; first < a.rows;) {
      // A chunk's rest is a tile at least.
      int64_t last = first + kChunkRows < a.rows ? first + kChunkRows : a.rows;
      if (last < a.rows && a.rows - last < kTileRows) last -= kTileRows;
      for (int64_t begin = 0; begin < supers; begin += kStretch) {
        multiply(first, last, begin, begin + kStretch < supers ? begin + kStretch : supers);
      }
      first = last;
    }
  }

  static void run(const MatmulArgs& a) {
    constexpr int64_t kLeast = 6;  // rows of a tile that are worth one
    if (a.rows < kLeast) return Few::run(a);
    SuperblockTiles(a).multiply_all();
  }
};

}  // namespace mlxr::kernels
