// Integer weights times int8 activations, written once for every instruction set V (lanes_*.h).
//
// Per block of 32 input features the integer sums are exact; each output element then takes one fused multiply-add for the
// scale and one for the minimum, block after block. That is the same sequence of roundings for one row or many.
#pragma once

#include "../packed_layout.h"
#include "matmul_kernels.h"
#include "panels.h"

namespace mlxr::kernels {

using packed::Codes;
using packed::Scales;

constexpr int largest_code(Codes codes) {  // 0: signed bytes
  switch (codes) {
    case Codes::Bits2: return 3;
    case Codes::Bits3: return 7;
    case Codes::Bits4: return 15;
    case Codes::Bits5: return 31;
    case Codes::Bits6: return 63;
    default: return 0;
  }
}

// Spreads a block's codes out to one byte each: out[g] holds input features 4g .. 4g + 3.
template <class V, Codes kCodes>
struct Unpack {
  using Bytes = typename V::Bytes;

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

  static void block(const uint8_t* p, Bytes* out) {
    constexpr int kVectors = kCodes == Codes::Bits8 ? 0 : static_cast<int>(packed::code_bytes(kCodes) / 64);
    Bytes v[kVectors ? kVectors : 1];
    for (int i = 0; i < kVectors; ++i) v[i] = V::load(p + 64 * i);
    out[0] = code<0>(p, v);
    out[1] = code<1>(p, v);
    out[2] = code<2>(p, v);
    out[3] = code<3>(p, v);
    out[4] = code<4>(p, v);
    out[5] = code<5>(p, v);
    out[6] = code<6>(p, v);
    out[7] = code<7>(p, v);
  }
};

// The scales of a superblock and of its current block.
template <class V, Scales kScales>
struct BlockScales {
  using Floats = typename V::Floats;
  static constexpr bool kHalves = kScales == Scales::SuperHalves || kScales == Scales::SuperHalvesMin;

  Floats super, super_min;  // d and -dmin of the superblock
  Floats scale, min;        // of the block: what its sum of products, and its sum of activations, are multiplied with
  typename V::HalfScales halves;
  decltype(V::pairs_high_nibbles(nullptr)) half_mins;

  void open(const uint8_t*& p) {
    if constexpr (kScales == Scales::SuperFloat) {
      super = V::load(reinterpret_cast<const float*>(p));
    } else {
      super = V::halves(p);
    }
    if constexpr (kScales == Scales::HalfMin) min = V::halves(p + 32);
    if constexpr (kScales == Scales::SuperMin || kScales == Scales::SuperHalvesMin) super_min = V::negative(V::halves(p + 32));
    p += packed::header_bytes(kScales);
    scale = super;
  }

  void next(const uint8_t*& p) {
    if constexpr (kScales == Scales::SuperMin) {
      scale = V::multiply(super, V::unsigned_bytes(p));
      min = V::multiply(super_min, V::unsigned_bytes(p + 16));
    } else if constexpr (kScales == Scales::Super) {
      scale = V::multiply(super, V::signed_bytes(p));
    } else if constexpr (kScales == Scales::SuperHalves) {
      halves = V::half_scales(p);
    } else if constexpr (kScales == Scales::SuperHalvesMin) {
      halves = V::half_scales_low_nibbles(p);
      half_mins = V::pairs_high_nibbles(p);
    }
    p += packed::block_scale_bytes(kScales);
  }
};

template <class V, Type kType>
struct IntegerMatmul {
  using Bytes = typename V::Bytes;
  using Floats = typename V::Floats;
  static constexpr packed::Layout kLayout = packed::layout(kType);
  static constexpr int kMax = largest_code(kLayout.codes);
  static constexpr int kRows = V::kRows;
  static constexpr int kTile = 16;  // rows for which a block is unpacked once
  static_assert(kTile % kRows == 0);
  using Scale = BlockScales<V, kLayout.scales>;

  // Adds one block's contribution to R rows; x is that block of the first row, `stride` blocks make a row.
  template <int R>
  [[gnu::always_inline]] static void accumulate(const Bytes* codes, const Scale& s, const ActivationBlock* x, int64_t stride,
                                                Floats* sums) {
    // With several rows the registers belong to their sums: codes are read from the first-level cache as they are needed.
    if constexpr (R > 1 && V::kSpillsCodes) asm volatile("" : "+r"(codes) : : "memory");
    Floats products[R];
    if constexpr (Scale::kHalves) {
      V::template dot_halves<kMax, kLayout.zero, R>(codes, s.halves, x, stride, products);
    } else {
      typename V::Ints totals[R];
      V::template dot<kMax, kLayout.zero, R>(codes, x, stride, totals);
      for (int r = 0; r < R; ++r) products[r] = V::to_floats(totals[r]);
    }
    for (int r = 0; r < R; ++r) {
      const ActivationBlock& row = x[r * stride];
      const Floats dx = V::splat(row.scale);
      sums[r] = V::multiply_add(V::multiply(s.scale, dx), products[r], sums[r]);
      if constexpr (kLayout.scales == Scales::HalfMin || kLayout.scales == Scales::SuperMin) {
        sums[r] = V::multiply_add(s.min, V::splat(row.scaled_sum), sums[r]);
      } else if constexpr (kLayout.scales == Scales::SuperHalvesMin) {
        const Floats minimum = V::to_floats(V::dot_pairs(s.half_mins, row.half_sums));
        sums[r] = V::multiply_add(V::multiply(s.super_min, dx), minimum, sums[r]);
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
        Bytes unpacked[8];
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
