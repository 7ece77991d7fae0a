// Integer weights times 16-bit activations, written once for every instruction set V (lanes_*.h).
//
// Per block of 32 input features the integer sums are exact; each output element then takes one fused multiply-add for
// the scale and one for the minimum, block after block (two each where the halves of a block have their own). A code's
// zero point is a minimum too. That is the same sequence of roundings for one row or many.
//
// Where the halves' scales are integers (packed::has_integer_scales) they belong to the exact sum, and so does the zero
// point: several rows meet weights that were multiplied by them, a single row's sums are multiplied.
#pragma once

#include <type_traits>
#include <utility>

#include "kernels/matmul_args.h"
#include "kernels/panels.h"
#include "quant/packed_layout.h"

namespace mlxr::kernels {

using packed::Codes;
using packed::Scales;

// The codes of a block, one byte each, by groups of 4 input features: group<G> holds features 4G .. 4G + 3.
template <class V, Codes kCodes>
struct BlockCodes {
  using Bytes = typename V::Bytes;
  const uint8_t* p;
  const uint8_t* table;  // of 16 bytes that codes stand for, where they are indices

  template <int kVector, int kRight, int kMask>
  [[gnu::always_inline]] Bytes field() const {
    return V::template field<kRight, kMask>(V::load(p + 64 * kVector));
  }

  template <int G>
  [[gnu::always_inline]] Bytes group() const {
    if constexpr (kCodes == Codes::Bits8) {
      return V::load(p + 64 * G);
    } else if constexpr (kCodes == Codes::Bits2) {
      return field<G / 4, G % 4 * 2, 3>();
    } else if constexpr (kCodes == Codes::Bits3) {
      if constexpr (G < 6) return field<G / 2, G % 2 * 3, 7>();
      if constexpr (G >= 6) return V::either(field<G - 6, 6, 3>(), field<2, G - 2, 4>());
    } else if constexpr (kCodes == Codes::Bits5) {
      if constexpr (G < 5) return field<G, 0, 31>();
      if constexpr (G == 5 || G == 6) return V::either(field<2 * G - 10, 5, 7>(), field<2 * G - 9, 2, 24>());
      if constexpr (G == 7) return V::either(field<4, 5, 7>(), V::either(field<1, 4, 8>(), field<3, 3, 16>()));
    } else if constexpr (kCodes == Codes::Bits6) {
      constexpr int kFirst = G / 4 * 3;
      if constexpr (G % 4 < 3) return field<kFirst + G % 4, 0, 63>();
      if constexpr (G % 4 == 3) {
        return V::either(field<kFirst, 6, 3>(), V::either(field<kFirst + 1, 4, 12>(), field<kFirst + 2, 2, 48>()));
      }
    } else {
      const Bytes code = field<G % 4, G / 4 * 4, 15>();
      if constexpr (kCodes == Codes::Table4) return V::look_up(table, code);
      if constexpr (kCodes != Codes::Table4) return code;
    }
  }
};

// The scales of a superblock and of its current block, or of that block's halves.
template <class V, Type kType>
struct BlockScales {
  using Floats = typename V::Floats;
  static constexpr Scales kScales = packed::layout(kType).scales;
  static constexpr int kZero = packed::layout(kType).zero;
  static constexpr bool kIntegers = packed::has_integer_scales(kType);
  static constexpr int kMinParts = packed::has_halves(kScales) ? 2 : 1;
  static constexpr int kParts = kIntegers ? 1 : kMinParts;
  static constexpr bool kHasMin = (kZero != 0 && !kIntegers) || kScales == Scales::HalfMin ||
                                  kScales == Scales::SuperMin || kScales == Scales::SuperHalvesMin;

  Floats super, super_min;               // d and -dmin of the superblock
  Floats scale[kParts], min[kMinParts];  // what sums of products, and sums of activations, are multiplied with
  const uint8_t* integers;               // both halves' scales, 16 bytes each, where they are integers

  void open(const uint8_t*& p) {
    if constexpr (kScales == Scales::Halves) {
      return;
    } else if constexpr (packed::has_float(kScales)) {
      super = V::load(reinterpret_cast<const float*>(p));
    } else {
      super = V::load_half(p);
    }
    if constexpr (kScales == Scales::HalfMin) min[0] = V::load_half(p + 32);
    if constexpr (kScales == Scales::SuperMin || kScales == Scales::SuperHalvesMin) {
      super_min = V::negative(V::load_half(p + 32));
    }
    p += packed::header_bytes(kScales);
    scale[0] = super;
  }

  void next(const uint8_t*& p) {
    integers = p;
    if constexpr (kScales == Scales::SuperMin) {
      scale[0] = V::mul(super, V::load_unsigned_bytes(p));
      min[0] = V::mul(super_min, V::load_unsigned_bytes(p + 16));
    } else if constexpr (kScales == Scales::Super || kScales == Scales::SuperFloatSigned) {
      scale[0] = V::mul(super, V::load_signed_bytes(p));
    } else if constexpr (kScales == Scales::Halves) {
      for (int half = 0; half < 2; ++half) scale[half] = V::load_half(p + 2 * kLanes * half);
    } else if constexpr (packed::has_halves(kScales) && kIntegers && !kHasMin) {
      // d alone, from `open` on
    } else if constexpr (kScales == Scales::SuperHalves) {
      for (int half = 0; half < 2; ++half) scale[half] = V::mul(super, V::load_signed_bytes(p + kLanes * half));
    } else if constexpr (kScales == Scales::SuperHalvesMin) {
      for (int half = 0; half < 2; ++half) {
        min[half] = V::mul(super_min, V::template load_nibbles<4>(p + kLanes * half));
      }
    }
    if constexpr (kZero != 0 && kScales == Scales::HalfMin) {
      min[0] = V::fma(V::splat(-kZero), scale[0], min[0]);
    } else if constexpr (kZero != 0 && !kIntegers) {
      for (int i = 0; i < kParts; ++i) min[i] = V::mul(V::splat(-kZero), scale[i]);
    }
    p += packed::block_scale_bytes(kScales);
  }
};

template <class V, Type kType>
struct IntegerMatmul {
  using Floats = typename V::Floats;
  using Ints = typename V::Ints;
  using Weights = typename V::Weights;
  using Scale = BlockScales<V, kType>;
  static constexpr packed::Layout kLayout = packed::layout(kType);
  using Codes = BlockCodes<V, kLayout.codes>;
  using SingleRowBlock = typename V::SingleRowBlock;
  static constexpr int kBits = packed::multiplied_bits(kLayout);
  // Whether several rows meet weights that were multiplied by their scales.
  static constexpr bool kScaled =
      Scale::kIntegers &&
      (V::kScaledAs == ScaledAs::Int16 || (V::kScaledAs == ScaledAs::Bytes && packed::scaled_fits_byte(kType)));
  // Of such weights, where they are bytes: with a bias of 128 if they have signs.
  static constexpr int kScaledBits = kLayout.zero != 0 && V::kScaledAs == ScaledAs::Bytes ? 8 : 7;
  static constexpr int kPanels = V::kPanels;
  static constexpr int kTile = V::kTile;
  static_assert(kTile % V::kRows == 0 && V::kRows % kPanels == 0);

  // What several rows multiply: a block's codes, spread out in the first-level cache.
  struct Spread {
    static constexpr bool kTimesScales = false;
    Weights weights[8];

    void set(const Codes& codes, const Scale&) { spread(codes, std::make_integer_sequence<int, 8>()); }

    template <int... G>
    [[gnu::always_inline]] void spread(const Codes& codes, std::integer_sequence<int, G...>) {
      (V::template spread<kBits, G>(codes.template group<G>(), weights), ...);
    }
  };
  // The same times their scales, less the zero point's share.
  struct ScaledSpread {
    static constexpr bool kTimesScales = true;
    Weights weights[8];

    void set(const Codes& codes, const Scale& scale) {
      set_half<0>(codes, scale, std::make_integer_sequence<int, 4>());
      set_half<1>(codes, scale, std::make_integer_sequence<int, 4>());
    }

    template <int kHalf, int... G>
    [[gnu::always_inline]] void set_half(const Codes& codes, const Scale& scale, std::integer_sequence<int, G...>) {
      const auto factors = factors_of<kHalf>(scale);
      ((weights[4 * kHalf + G] = V::times(factors, codes.template group<4 * kHalf + G>())), ...);
    }
  };
  using AnySpread = std::conditional_t<kScaled, ScaledSpread, Spread>;  // of several rows

  // What a half's codes are multiplied by.
  template <int kHalf>
  [[gnu::always_inline]] static auto factors_of(const Scale& scale) {
    return V::template factors<packed::scale_bits(kType), kLayout.zero>(scale.integers + kLanes * kHalf);
  }

  // totals[p][r]: of panel p and row r.
  template <int kFirst, int kCount, int R, int P, class S, class X>
    requires requires { S::kTimesScales; }
  [[gnu::always_inline]] static void dot(const S (&codes)[P], const X* x, int64_t stride, Ints (&totals)[P][R]) {
    constexpr int kOf = S::kTimesScales ? kScaledBits : kBits;
    if constexpr (P == 1) {
      V::template dot<kOf, kFirst, kCount, R>(codes[0].weights, x, stride, totals[0]);
    } else {
      V::template dot_panels<kOf, kFirst, kCount, R, P>(codes[0].weights, x, stride, totals);
    }
  }
  // A single row uses codes as they leave their block.
  template <int kFirst, int kCount, int R, int P>
  [[gnu::always_inline]] static void dot(const Codes (&codes)[P], const SingleRowBlock* x, int64_t,
                                         Ints (&totals)[P][R]) {
    static_assert(R == 1 && P == 1);
    if constexpr (V::kHasSingleRowDot) {
      totals[0][0] = V::template dot_single_row<kBits, kFirst, kCount>(codes[0], *x);
    } else {
      Spread spread[1];
      spread[0].set(codes[0], Scale{});
      dot<kFirst, kCount, 1, 1>(spread, x, 0, totals);
    }
  }

  // The integer sum of a block whose halves have integer scales, of R rows of P panels.
  template <int R, int P, class CodesOrSpread, class X>
  [[gnu::always_inline]] static void scaled_dot(const CodesOrSpread (&codes)[P], const Scale (&s)[P], const X* x,
                                                int64_t stride, Ints (&totals)[P][R]) {
    if constexpr (std::is_same_v<CodesOrSpread, ScaledSpread>) {
      dot<0, 8, R, P>(codes, x, stride, totals);
    } else {
      for (int p = 0; p < P; ++p) {
        for (int r = 0; r < R; ++r) totals[p][r] = Ints{};
      }
      add_half<0, R, P>(codes, s, x, stride, totals);
      add_half<1, R, P>(codes, s, x, stride, totals);
    }
  }
  template <int kHalf, int R, int P, class CodesOrSpread, class X>
  [[gnu::always_inline]] static void add_half(const CodesOrSpread (&codes)[P], const Scale (&s)[P], const X* x,
                                              int64_t stride, Ints (&totals)[P][R]) {
    Ints sums[P][R];
    dot<4 * kHalf, 4, R, P>(codes, x, stride, sums);
    for (int p = 0; p < P; ++p) {
      const Ints scales = V::template load_integers<packed::scale_bits(kType)>(s[p].integers + kLanes * kHalf);
      for (int r = 0; r < R; ++r) {
        Ints& sum = sums[p][r];
        if constexpr (kLayout.zero != 0) sum = V::template less<kLayout.zero>(sum, x[r * stride].half_sum(kHalf));
        totals[p][r] = V::add(totals[p][r], V::multiply(scales, sum));
      }
    }
  }

  // Adds one block's contribution to R rows of P panels; x is that block of the first row, `stride` blocks make a row.
  template <int R, int P, class CodesOrSpread, class X>
  [[gnu::always_inline]] static void accumulate(const CodesOrSpread (&codes)[P], const Scale (&s)[P], const X* x,
                                                int64_t stride, Floats (&sums)[P][R]) {
    Floats products[P][R];
    Ints totals[P][R];
    constexpr int kGroups = 8 / Scale::kParts;
    if constexpr (Scale::kIntegers) {
      scaled_dot<R, P>(codes, s, x, stride, totals);
    } else {
      dot<0, kGroups, R, P>(codes, x, stride, totals);
    }
    for (int p = 0; p < P; ++p) {
      for (int r = 0; r < R; ++r) products[p][r] = V::mul(s[p].scale[0], V::to_floats(totals[p][r]));
    }
    if constexpr (Scale::kParts == 2) {
      dot<kGroups, kGroups, R, P>(codes, x, stride, totals);
      for (int p = 0; p < P; ++p) {
        for (int r = 0; r < R; ++r) {
          products[p][r] = V::fma(s[p].scale[1], V::to_floats(totals[p][r]), products[p][r]);
        }
      }
    }
    for (int r = 0; r < R; ++r) {
      const ScaledBlock& row = x[r * stride];
      const Floats scale = V::splat(row.scale);
      for (int p = 0; p < P; ++p) sums[p][r] = V::fma(scale, products[p][r], sums[p][r]);
      if constexpr (Scale::kHasMin) {
        const float* sum = Scale::kMinParts == 1 ? &row.scaled_sum : row.scaled_half_sums;
        for (int i = 0; i < Scale::kMinParts; ++i) {
          const Floats both = V::splat(sum[i]);
          for (int p = 0; p < P; ++p) sums[p][r] = V::fma(s[p].min[i], both, sums[p][r]);
        }
      }
    }
  }

  // A stretch of blocks of one panel.
  struct Stretch { int64_t begin, end; };

  // Sums of P panels for Groups * R activation rows of X blocks, over one stretch; `x` is the first row's first block.
  // Sums continue from y unless the stretch is the first: the same additions in the same order, however blocks are cut
  // in stretches.
  template <int P, int R, int Groups, bool kSingleRow, class X>
  static void tile(const MatmulArgs& a, int64_t panel, int64_t row, const X* x, Stretch stretch) {
    constexpr int kSuper = packed::blocks_per_super(kLayout.scales);
    constexpr size_t kCodeBytes = packed::code_bytes(kLayout.codes);
    constexpr size_t kSuperBytes =
        packed::header_bytes(kLayout.scales) + kSuper * packed::block_scale_bytes(kLayout.scales);
    const auto first = static_cast<size_t>(stretch.begin);
    const uint8_t* codes[P];
    const uint8_t* scales[P];
    Floats sums[Groups][P][R];
    for (int p = 0; p < P; ++p) {
      const auto at = static_cast<size_t>(panel + p);
      codes[p] = a.codes + at * a.panel_code_bytes + first * kCodeBytes;
      scales[p] = a.scales + at * a.panel_scale_bytes + first / kSuper * kSuperBytes;
      for (int g = 0; g < Groups; ++g) {
        for (int r = 0; r < R; ++r) {
          sums[g][p][r] = first == 0 ? V::zero() : load_panel<V>(a, panel + p, row + g * R + r);
        }
      }
    }
    const int64_t blocks = a.cols / kBlock;
    Scale s[P];
    for (int64_t block = stretch.begin; block < stretch.end;) {
      for (int p = 0; p < P; ++p) s[p].open(scales[p]);
      for (int64_t end = block + kSuper; block < end; ++block) {
        for (int p = 0; p < P; ++p) {
          s[p].next(scales[p]);
          for (size_t line = 0; line < kCodeBytes; line += 64) V::prefetch(codes[p] + V::kPrefetch + line);
        }
        if constexpr (kSingleRow) {
          const Codes used[1] = {Codes{codes[0], a.table}};
          accumulate<1, 1>(used, s, x + block, blocks, sums[0]);
        } else {
          std::conditional_t<(Groups * R >= V::kScaledRows), AnySpread, Spread> spread[P];
          for (int p = 0; p < P; ++p) spread[p].set(Codes{codes[p], a.table}, s[p]);
          for (int g = 0; g < Groups; ++g) accumulate<R, P>(spread, s, x + g * R * blocks + block, blocks, sums[g]);
        }
        for (int p = 0; p < P; ++p) codes[p] += kCodeBytes;
      }
    }
    for (int g = 0; g < Groups; ++g) {
      for (int p = 0; p < P; ++p) {
        for (int r = 0; r < R; ++r) store_panel<V>(a, panel + p, row + g * R + r, sums[g][p][r]);
      }
    }
  }

  static void run(const MatmulArgs& a) {
    const int64_t blocks = a.cols / kBlock;
    if (a.alone) {
      const auto* x = static_cast<const SingleRowBlock*>(a.x_blocks);
      for (int64_t panel = a.begin; panel < a.end; ++panel) tile<1, 1, 1, true>(a, panel, 0, x, {0, blocks});
      return;
    }
    // Activations that stay in the second-level cache while all panels pass by.
    constexpr int64_t kChunk = 64, kCacheBytes = 192 * 1024;
    for (int64_t first = 0; first < a.rows; first += kChunk) {
      const int64_t last = first + kChunk < a.rows ? first + kChunk : a.rows;
      const int64_t fit = kCacheBytes / ((last - first) * static_cast<int64_t>(sizeof(X)) * 8) * 8;
      for (int64_t begin = 0; begin < blocks; begin += fit) {
        const Stretch stretch = {begin, begin + fit < blocks ? begin + fit : blocks};
        int64_t panel = a.begin;
        if constexpr (kPanels > 1) {
          // Whole tiles of rows take panels together. Fewer rows don't: weights are one stream for them, as memory
          // gives them fastest.
          const int64_t tiles = first + (last - first) / kTile * kTile;
          for (; tiles > first && panel + kPanels <= a.end; panel += kPanels) {
            rows<kPanels>(a, panel, first, tiles, stretch);
            for (int p = 0; p < kPanels; ++p) rows<1>(a, panel + p, tiles, last, stretch);
          }
        }
        for (; panel < a.end; ++panel) rows<1>(a, panel, first, last, stretch);
      }
    }
  }

 private:
  using X = typename V::Block;

  // Rows [row, last) of P panels; with several panels they are whole tiles.
  template <int P>
  static void rows(const MatmulArgs& a, int64_t panel, int64_t row, int64_t last, Stretch stretch) {
    constexpr int kRows = V::kRows / P;
    const int64_t blocks = a.cols / kBlock;
    const auto* x = static_cast<const X*>(a.x_blocks) + row * blocks;
    for (; row + kTile <= last; row += kTile, x += kTile * blocks) {
      tile<P, kRows, kTile / kRows, false>(a, panel, row, x, stretch);
    }
    if constexpr (P == 1) {
      for (; row + kRows <= last; row += kRows, x += kRows * blocks) {
        tile<1, kRows, 1, false>(a, panel, row, x, stretch);
      }
      remainder<kRows - 1>(a, panel, row, x, last - row, stretch);
    }
  }

  template <int R>
  static void remainder(const MatmulArgs& a, int64_t panel, int64_t row, const X* x, int64_t count, Stretch stretch) {
    if constexpr (R > 0) {
      if (count == R) {
        tile<1, R, 1, false>(a, panel, row, x, stretch);
      } else {
        remainder<R - 1>(a, panel, row, x, count, stretch);
      }
    }
  }
};

}  // namespace mlxr::kernels
