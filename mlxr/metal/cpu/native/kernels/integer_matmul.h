// Integer weights times 16-bit activations, written once for every instruction set V (lanes_*.h).
//
// Per block of 32 input features the integer sums are exact; each output element then takes one fused multiply-add for the
// scale and one for the minimum, block after block (two each where the halves of a block have their own). A code's zero
// point is a minimum too. That is the same sequence of roundings for one row or many.
#pragma once

#include "../packed_layout.h"
#include "matmul_kernels.h"
#include "panels.h"

namespace mlxr::kernels {

using packed::Codes;
using packed::Scales;

// Spreads a block's codes out to one byte each, then to what V multiplies: out[g] holds input features 4g .. 4g + 3.
template <class V, Codes kCodes>
struct Unpack {
  using Bytes = typename V::Bytes;
  using Weights = typename V::Weights;
  static constexpr bool kSigned = kCodes == Codes::Bits8 || kCodes == Codes::Table4;

  template <int G>
  static Bytes code(const uint8_t* p, const Bytes* v) {
    if constexpr (kCodes == Codes::Bits8) {
      return V::load(p + 64 * G);
    } else if constexpr (kCodes == Codes::Bits2) {
      return V::template field<2 * (G % 4), 3>(v[G / 4]);
    } else if constexpr (kCodes == Codes::Bits3) {
      return V::either(V::template field<2 * (G % 4), 3>(v[G / 4]), V::template field<G - 2, 4>(v[2]));
    } else {
      const Bytes low = V::template field<4 * (G / 4), 15>(v[G % 4]);
      if constexpr (kCodes == Codes::Table4) {
        return V::look_up(kIq4Values, low);
      } else if constexpr (kCodes == Codes::Bits5) {
        return V::either(low, V::template field<G - 4, 16>(v[4]));
      } else if constexpr (kCodes == Codes::Bits6) {
        return V::either(low, V::template field<2 * (G % 4) - 4, 48>(v[4 + G / 4]));
      } else {
        return low;
      }
    }
  }

  static void block(const uint8_t* p, Weights* out) {
    constexpr int kVectors = kCodes == Codes::Bits8 ? 0 : static_cast<int>(packed::code_bytes(kCodes) / 64);
    Bytes v[kVectors ? kVectors : 1];
    for (int i = 0; i < kVectors; ++i) v[i] = V::load(p + 64 * i);
    out[0] = V::template weights<kSigned>(code<0>(p, v));
    out[1] = V::template weights<kSigned>(code<1>(p, v));
    out[2] = V::template weights<kSigned>(code<2>(p, v));
    out[3] = V::template weights<kSigned>(code<3>(p, v));
    out[4] = V::template weights<kSigned>(code<4>(p, v));
    out[5] = V::template weights<kSigned>(code<5>(p, v));
    out[6] = V::template weights<kSigned>(code<6>(p, v));
    out[7] = V::template weights<kSigned>(code<7>(p, v));
  }
};

// The scales of a superblock and of its current block, or of that block's halves.
template <class V, Type kType>
struct BlockScales {
  using Floats = typename V::Floats;
  static constexpr Scales kScales = packed::layout(kType).scales;
  static constexpr int kZero = packed::layout(kType).zero;
  static constexpr int kParts = kScales == Scales::SuperHalves || kScales == Scales::SuperHalvesMin ? 2 : 1;
  static constexpr bool kHasMin =
      kZero != 0 || kScales == Scales::HalfMin || kScales == Scales::SuperMin || kScales == Scales::SuperHalvesMin;

  Floats super, super_min;            // d and -dmin of the superblock
  Floats scale[kParts], min[kParts];  // what sums of products, and sums of activations, are multiplied with

  void open(const uint8_t*& p) {
    if constexpr (kScales == Scales::SuperFloat) {
      super = V::load(reinterpret_cast<const float*>(p));
    } else {
      super = V::halves(p);
    }
    if constexpr (kScales == Scales::HalfMin) min[0] = V::halves(p + 32);
    if constexpr (kScales == Scales::SuperMin || kScales == Scales::SuperHalvesMin) super_min = V::negative(V::halves(p + 32));
    p += packed::header_bytes(kScales);
    scale[0] = super;
  }

  void next(const uint8_t*& p) {
    if constexpr (kScales == Scales::SuperMin) {
      scale[0] = V::multiply(super, V::unsigned_bytes(p));
      min[0] = V::multiply(super_min, V::unsigned_bytes(p + 16));
    } else if constexpr (kScales == Scales::Super) {
      scale[0] = V::multiply(super, V::signed_bytes(p));
    } else if constexpr (kScales == Scales::SuperHalves) {
      V::signed_byte_pairs(p, scale);
      for (Floats& s : scale) s = V::multiply(super, s);
    } else if constexpr (kScales == Scales::SuperHalvesMin) {
      V::template nibble_pairs<0>(p, scale);
      V::template nibble_pairs<4>(p, min);
      for (Floats& s : scale) s = V::multiply(super, s);
      for (Floats& m : min) m = V::multiply(super_min, m);
    }
    if constexpr (kZero != 0) {
      for (int i = 0; i < kParts; ++i) min[i] = V::multiply(V::splat(-kZero), scale[i]);
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
  static constexpr int kRows = V::kRows;
  static constexpr int kTile = 16;  // rows for which a block is unpacked once
  static_assert(kTile % kRows == 0);

  // Adds one block's contribution to R rows; x is that block of the first row, `stride` blocks make a row.
  template <int R>
  [[gnu::always_inline]] static void accumulate(const Weights* weights, const Scale& s, const ActivationBlock* x, int64_t stride,
                                                Floats* sums) {
    // With several rows the registers belong to their sums: weights are read from the first-level cache as they are needed.
    if constexpr (R > 1) asm volatile("" : "+r"(weights) : : "memory");
    Floats products[R];
    if constexpr (Scale::kParts == 1) {
      Ints totals[R];
      V::template dot<0, 8, R>(weights, x, stride, totals);
      for (int r = 0; r < R; ++r) products[r] = V::multiply(s.scale[0], V::to_floats(totals[r]));
    } else {
      Ints totals[R];
      V::template dot<0, 4, R>(weights, x, stride, totals);
      for (int r = 0; r < R; ++r) products[r] = V::multiply(s.scale[0], V::to_floats(totals[r]));
      V::template dot<4, 4, R>(weights, x, stride, totals);
      for (int r = 0; r < R; ++r) products[r] = V::multiply_add(s.scale[1], V::to_floats(totals[r]), products[r]);
    }
    for (int r = 0; r < R; ++r) {
      const ActivationBlock& row = x[r * stride];
      sums[r] = V::multiply_add(V::splat(row.scale), products[r], sums[r]);
      if constexpr (Scale::kHasMin) {
        const float* sum = Scale::kParts == 1 ? &row.scaled_sum : row.scaled_half_sums;
        for (int i = 0; i < Scale::kParts; ++i) sums[r] = V::multiply_add(s.min[i], V::splat(sum[i]), sums[r]);
      }
    }
  }

  // Output features of one panel for Groups * R activation rows.
  template <int R, int Groups>
  static void tile(const MatmulArgs& a, int64_t panel, int64_t row) {
    constexpr int kSuper = packed::blocks_per_super(kLayout.scales);
    constexpr size_t kCodeBytes = packed::code_bytes(kLayout.codes);
    const uint8_t* codes = a.codes + static_cast<size_t>(panel) * a.panel_code_bytes;
    const uint8_t* scales = a.scales + static_cast<size_t>(panel) * a.panel_scale_bytes;
    Floats sums[Groups][R];
    for (auto& group : sums) {
      for (Floats& sum : group) sum = V::zero();
    }
    const int64_t blocks = a.cols / kBlock;
    const ActivationBlock* x = a.x_blocks + row * blocks;
    Scale s;
    for (int64_t block = 0; block < blocks;) {
      s.open(scales);
      for (int64_t end = block + kSuper; block < end; ++block, codes += kCodeBytes) {
        s.next(scales);
        for (size_t line = 0; line < kCodeBytes; line += 64) V::prefetch(codes + V::kPrefetch + line);
        Weights unpacked[8];
        Unpack<V, kLayout.codes>::block(codes, unpacked);
        for (int g = 0; g < Groups; ++g) accumulate<R>(unpacked, s, x + g * R * blocks + block, blocks, sums[g]);
      }
    }
    for (int g = 0; g < Groups; ++g) {
      for (int r = 0; r < R; ++r) store_panel<V>(a, panel, row + g * R + r, sums[g][r]);
    }
  }

  static void run(const MatmulArgs& a) {
    for_row_chunks<kTile>(a, [&](int64_t first, int64_t last) {
      for (int64_t panel = a.begin; panel < a.end; ++panel) {
        int64_t row = first;
        for (; row + kTile <= last; row += kTile) tile<kRows, kTile / kRows>(a, panel, row);
        for (; row + kRows <= last; row += kRows) tile<kRows, 1>(a, panel, row);
        remainder<kRows - 1>(a, panel, row, last - row);
      }
    });
  }

  template <int R>
  static void remainder(const MatmulArgs& a, int64_t panel, int64_t row, int64_t count) {
    if constexpr (R > 0) {
      if (count == R) {
        tile<R, 1>(a, panel, row);
      } else {
        remainder<R - 1>(a, panel, row, count);
      }
    }
  }
};

}  // namespace mlxr::kernels
