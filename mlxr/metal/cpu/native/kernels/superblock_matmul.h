// Weights whose scales are whole numbers within a superblock, times activations that share a scale there: all products
// of a superblock are one exact integer sum, which meets one scale of each side. So are a superblock's minima times the
// sums of activations.
//
// Such a sum has up to 36 bits. It is kept as 256 * high + low, whichever way its products are added up, and becomes a
// float by one rule (V::rounded), so that a row reads the same alone, among a few, and on tiles (superblock_tiles.h).
#pragma once

#include <utility>

#include "kernels/integer_matmul.h"
#include "kernels/superblock_activations.h"

namespace mlxr::kernels {

template <class V, Type kType>
struct SuperblockMatmul {
  using Floats = typename V::Floats;
  using Ints = typename V::Ints;
  using Bytes = typename V::Bytes;
  using X = SuperblockActivations;
  static constexpr packed::Layout kLayout = packed::layout(kType);
  using Codes = BlockCodes<V, kLayout.codes>;
  static constexpr int kBlocks = packed::blocks_per_super(kLayout.scales);
  static constexpr size_t kCodeBytes = packed::code_bytes(kLayout.codes);
  static constexpr size_t kHeaderBytes = packed::header_bytes(kLayout.scales);
  static constexpr size_t kScaleBytes = packed::block_scale_bytes(kLayout.scales);
  static constexpr bool kHasMin = kLayout.scales == Scales::SuperMin;
  // A block's scales: those of its halves, or its own and its minimum.
  static_assert(kBlocks * kBlock == kActivationSpan && kScaleBytes == 2 * kLanes);
  static_assert(kHasMin || packed::has_halves(kLayout.scales));

  // d of a superblock and, of types with minima, -dmin.
  struct Super { Floats scale, min; };
  static Super open(const uint8_t* scales) {
    if constexpr (kHasMin) return {V::load_half(scales), V::negative(V::load_half(scales + 2 * kLanes))};
    if constexpr (packed::has_float(kLayout.scales)) return {V::load(reinterpret_cast<const float*>(scales)), {}};
    return {V::load_half(scales), {}};
  }

  // out += d * scale * (256 * high + low)
  [[gnu::always_inline]] static void add_sum(Floats d, Floats scale, Ints high, Ints low, Floats& out) {
    out = V::fma(scale, V::mul(d, V::rounded(high, low)), out);
  }

  // What R rows have of a superblock so far. `offset`: sums of activations times what codes have to be less: a zero
  // point, times the scales, or the minima.
  template <int R>
  struct Sums {
    Ints high[R], low[R], offset_high[R], offset_low[R];
  };

  // Groups [first, first + kCount) of a block, which share a scale.
  template <int R, int kCount>
  [[gnu::always_inline]] static void add_groups(const Bytes* groups, const uint8_t* scales, int first, const X* x,
                                                int64_t stride, int block, Sums<R>& sums) {
    Ints high[R] = {}, low[R] = {};
#pragma GCC unroll 8
    for (int g = first; g < first + kCount; ++g) {
      const Bytes w = groups[g];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const int at = kBlock * block + 4 * g;
        V::add_byte_products(high[r], low[r], w, x[r * stride].high + at, x[r * stride].low + at);
      }
    }
    const Ints scale = V::template load_integers<8>(scales);
    for (int r = 0; r < R; ++r) {
      sums.high[r] = V::add(sums.high[r], V::multiply(scale, high[r]));
      sums.low[r] = V::add(sums.low[r], V::multiply(scale, low[r]));
    }
  }

  template <int R>
  [[gnu::always_inline]] static void add_block(const Codes& codes, const uint8_t* scales, const X* x, int64_t stride,
                                               int block, Sums<R>& sums) {
    Bytes groups[8];
    [&]<int... G>(std::integer_sequence<int, G...>) {
      ((groups[G] = codes.template group<G>()), ...);
    }(std::make_integer_sequence<int, 8>());
    if constexpr (kHasMin) {
      add_groups<R, 8>(groups, scales, 0, x, stride, block, sums);
    } else {
      add_groups<R, 4>(groups, scales, 0, x, stride, block, sums);
      add_groups<R, 4>(groups, scales + kLanes, 4, x, stride, block, sums);
    }
    // Of the halves' sums of activations.
    const Ints pairs = V::pair_int16(kHasMin ? scales + kLanes : scales, scales + kLanes);
    for (int r = 0; r < R; ++r) {
      V::add_int16_products(sums.offset_high[r], pairs, V::repeat_32(x[r * stride].half_high + 2 * block));
      V::add_int16_products(sums.offset_low[r], pairs, V::repeat_32(x[r * stride].half_low + 2 * block));
    }
  }

  // R rows of a panel.
  template <int R>
  static void rows(const MatmulArgs& a, int64_t panel, int64_t row) {
    const int64_t supers = a.cols / kActivationSpan;
    const X* x = static_cast<const X*>(a.x_blocks) + row * supers;
    const uint8_t* codes = a.codes + static_cast<size_t>(panel) * a.panel_code_bytes;
    const uint8_t* scales = a.scales + static_cast<size_t>(panel) * a.panel_scale_bytes;
    Floats out[R];
    for (int r = 0; r < R; ++r) out[r] = V::zero();
    for (int64_t i = 0; i < supers; ++i, ++x) {
      const Super super = open(scales);
      scales += kHeaderBytes;
      Sums<R> sums = {};
      for (int block = 0; block < kBlocks; ++block) {
        for (size_t line = 0; line < kCodeBytes; line += 64) V::prefetch(codes + V::kPrefetch + line);
        add_block<R>(Codes{codes, a.table}, scales, x, supers, block, sums);
        codes += kCodeBytes;
        scales += kScaleBytes;
      }
      for (int r = 0; r < R; ++r) {
        const Floats scale = V::splat(x[r * supers].scale);
        if constexpr (kHasMin) {
          add_sum(super.scale, scale, sums.high[r], sums.low[r], out[r]);
          add_sum(super.min, scale, sums.offset_high[r], sums.offset_low[r], out[r]);
        } else {
          const Ints high = V::template less_times<kLayout.zero>(sums.high[r], sums.offset_high[r]);
          const Ints low = V::template less_times<kLayout.zero>(sums.low[r], sums.offset_low[r]);
          add_sum(super.scale, scale, high, low, out[r]);
        }
      }
    }
    for (int r = 0; r < R; ++r) store_panel<V>(a, panel, row + r, out[r]);
  }

  // Rows [row, a.rows), R at most.
  template <int R>
  static void rest(const MatmulArgs& a, int64_t panel, int64_t row) {
    if constexpr (R > 0) {
      if (a.rows - row == R) {
        rows<R>(a, panel, row);
      } else {
        rest<R - 1>(a, panel, row);
      }
    }
  }

  static void run(const MatmulArgs& a) {
    for (int64_t panel = a.begin; panel < a.end; ++panel) {
      // A block is spread out once for as many rows as sums have registers for.
      int64_t row = 0;
      for (; row + 4 <= a.rows; row += 4) rows<4>(a, panel, row);
      rest<3>(a, panel, row);
    }
  }
};

}  // namespace mlxr::kernels
