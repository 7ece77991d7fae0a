// Integer weights times 16-bit activations where scales of 16 weights are multiplied into the weights, which are
// 16-bit integers then and meet activations as such: the products of integer_matmul.h for many rows, with the same
// bits.
//
// Against bytes there are as many products, and a block has one sum instead of four.
#pragma once

#include "kernels/integer_matmul.h"

namespace mlxr::kernels {

template <class V, Type kType>
struct ScaledInt16Matmul {
  using Vectors = IntegerMatmul<V, kType>;
  using Floats = typename V::Floats;
  using Scale = BlockScales<V, kType>;
  using X = typename V::Block;
  using Stretch = typename Vectors::Stretch;
  static constexpr packed::Layout kLayout = packed::layout(kType);
  static_assert(Scale::kIntegers && !Scale::kHasMin && !packed::scaled_fits_byte(kType));
  static constexpr int kPanels = 2;
  static constexpr int kRows = 8;            // of a register tile
  static constexpr int64_t kChunkRows = 64;  // for which a block is spread out once
  static constexpr int kGroups = kChunkRows / kRows;
  static constexpr int64_t kStretchBlocks = 32;  // of activations that are laid out at a time

  struct alignas(64) Row { int16_t codes[kBlock]; };
  struct alignas(64) Spread { int16_t weights[kBlock / 2][2 * kLanes]; };  // two input features of every lane
  struct alignas(64) Sums { float of[kRows][kPanels][kLanes]; };

  const MatmulArgs& a;
  Row rows[kStretchBlocks][kChunkRows];  // a block of all rows side by side
  float scales[kStretchBlocks][kChunkRows];
  Sums sums[kGroups];

  explicit ScaledInt16Matmul(const MatmulArgs& args) : a(args) {}

  void lay_out_rows(int64_t first, int64_t last, Stretch stretch) {
    const int64_t blocks = a.cols / kBlock;
    const X* x = static_cast<const X*>(a.x_blocks) + first * blocks + stretch.begin;
    for (int64_t r = 0; r < last - first; ++r, x += blocks) {
      for (int64_t block = 0; block < stretch.end - stretch.begin; ++block) {
        const X& from = x[block];
        V::store_int16(from, rows[block][r].codes);
        scales[block][r] = from.scale;
      }
    }
  }

  // The next block of a panel, weights times their scales.
  [[gnu::always_inline]] static void spread_block(const uint8_t* codes, const uint8_t* table, const Scale& scale,
                                                  Spread& to) {
    const typename Vectors::Codes from{codes, table};
    [&]<int... G>(std::integer_sequence<int, G...>) {
      const auto first = Vectors::template factors_of<0>(scale), last = Vectors::template factors_of<1>(scale);
      (V::store_int16_products(G < 4 ? first : last, from.template group<G>(), to.weights[2 * G]), ...);
    }(std::make_integer_sequence<int, 8>());
  }

  // Adds a block's contribution to kRows rows of P panels.
  template <int P>
  [[gnu::always_inline]] static void add_rows(const Spread (&spread)[P], const Scale (&s)[P], const Row* x,
                                              const float* scale, Sums& to) {
    const Spread* weights = spread;
    // The registers belong to the sums: weights are read from the first-level cache as they are needed.
    asm volatile("" : "+r"(weights) : : "memory");
    typename V::Ints totals[P][kRows] = {};
#pragma GCC unroll 16
    for (int pair = 0; pair < kBlock / 2; ++pair) {
      typename V::Bytes w[P];
      for (int p = 0; p < P; ++p) w[p] = V::load(reinterpret_cast<const uint8_t*>(weights[p].weights[pair]));
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const auto both = V::repeat_32(x[r].codes + 2 * pair);
        for (int p = 0; p < P; ++p) V::add_int16_products(totals[p][r], w[p], both);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      for (int p = 0; p < P; ++p) {
        float* const out = to.of[r][p];
        const Floats product = V::mul(s[p].scale[0], V::to_floats(totals[p][r]));
        V::store(out, V::fma(V::splat(scale[r]), product, V::load(out)));
      }
    }
  }

  // Rows [first, last), kRows at least and a chunk at most, of P panels. The last tile may take rows again that the one
  // before it had: sums are loaded before any is stored.
  template <int P>
  void multiply(int64_t panel, int64_t first, int64_t last, Stretch stretch) {
    constexpr int kSuper = packed::blocks_per_super(kLayout.scales);
    constexpr size_t kCodeBytes = packed::code_bytes(kLayout.codes);
    constexpr size_t kSuperBytes =
        packed::header_bytes(kLayout.scales) + kSuper * packed::block_scale_bytes(kLayout.scales);
    const int64_t count = last - first;
    const int groups = static_cast<int>((count + kRows - 1) / kRows);
    const auto row_of = [&](int group) { return group * kRows + kRows <= count ? group * kRows : count - kRows; };
    const auto each_row = [&](auto visit) {
      for (int group = 0; group < groups; ++group) {
        for (int r = 0; r < kRows; ++r) {
          for (int p = 0; p < P; ++p) visit(first + row_of(group) + r, panel + p, sums[group].of[r][p]);
        }
      }
    };
    each_row([&](int64_t row, int64_t at, float* sum) {
      V::store(sum, stretch.begin == 0 ? V::zero() : load_panel<V>(a, at, row));
    });
    const uint8_t* codes[P];
    const uint8_t* scale_bytes[P];
    Scale s[P];
    for (int p = 0; p < P; ++p) {
      const auto at = static_cast<size_t>(panel + p), skipped = static_cast<size_t>(stretch.begin);
      codes[p] = a.codes + at * a.panel_code_bytes + skipped * kCodeBytes;
      scale_bytes[p] = a.scales + at * a.panel_scale_bytes + skipped / kSuper * kSuperBytes;
    }
    for (int64_t block = stretch.begin; block < stretch.end; ++block) {
      Spread spread[P];
      for (int p = 0; p < P; ++p) {
        if (block % kSuper == 0) s[p].open(scale_bytes[p]);
        s[p].next(scale_bytes[p]);
        for (size_t line = 0; line < kCodeBytes; line += 64) V::prefetch(codes[p] + V::kPrefetch / 2 + line);
        spread_block(codes[p], a.table, s[p], spread[p]);
        codes[p] += kCodeBytes;
      }
      const Row* x = rows[block - stretch.begin];
      const float* scale = scales[block - stretch.begin];
      for (int group = 0; group < groups; ++group) {
        add_rows<P>(spread, s, x + row_of(group), scale + row_of(group), sums[group]);
      }
    }
    each_row([&](int64_t row, int64_t at, float* sum) { store_panel<V>(a, at, row, V::load(sum)); });
  }

  void multiply_all() {
    const int64_t blocks = a.cols / kBlock;
    for (int64_t first = 0; first < a.rows;) {
      // A chunk's rest is a tile at least.
      int64_t last = first + kChunkRows < a.rows ? first + kChunkRows : a.rows;
      if (last < a.rows && a.rows - last < kRows) last -= kRows;
      for (int64_t from = 0; from < blocks; from += kStretchBlocks) {
        const Stretch stretch = {from, from + kStretchBlocks < blocks ? from + kStretchBlocks : blocks};
        lay_out_rows(first, last, stretch);
        int64_t panel = a.begin;
        for (; panel + kPanels <= a.end; panel += kPanels) multiply<kPanels>(panel, first, last, stretch);
        if (panel < a.end) multiply<1>(panel, first, last, stretch);
      }
      first = last;
    }
  }

  static void run(const MatmulArgs& a) {
    constexpr int kLeast = 12;  // rows that are worth it
    if (a.alone || a.rows < kLeast) return Vectors::run(a);
    ScaledInt16Matmul(a).multiply_all();
  }
};

}  // namespace mlxr::kernels
