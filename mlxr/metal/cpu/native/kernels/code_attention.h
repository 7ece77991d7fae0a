// Attention to keys or values that are codes of 8 bits (PagePool), by the integer products of matrices (lanes_*.h).
//
// A query row becomes 16-bit codes with a scale for each 32 dimensions, and so do 32 neighbouring tokens' weights once
// each is multiplied by its value's scale. Integer sums are exact; what follows is one multiply-add a block of 32, in
// ascending order, whatever rows a tile has. A masked weight is 0, and so is its code: it changes nothing.
#pragma once

#include <cstring>
#include <utility>

#include "kernels/attention_kernels.h"
#include "kernels/quantize.h"

namespace mlxr::kernels {

template <class V, class Lanes>
struct CodeAttention {
  using Attention = AttentionKernels<V>;
  using KeyBlock = typename Attention::KeyBlock;
  using Block = typename Lanes::Block;
  using Floats = typename Lanes::Floats;
  using Ints = typename Lanes::Ints;
  using F = typename V::Register;
  static constexpr int kTileRows = Lanes::kRows < Attention::kTileRows ? Lanes::kRows : Attention::kTileRows;
  static constexpr int kQuads = 8;                     // groups of 4 codes of a block
  static constexpr int kBlockBytes = kQuads * 64;      // codes of a block, 16 lanes
  static constexpr int kPanelBytes = kGroup * kLanes;  // codes of a group's 16 dimensions
  static constexpr int kTokenBlocks = kBlockKeys / kBlock;
  static_assert(kBlock == kCodeBlock && kGroup == kLanes && sizeof(Block) <= 23 * sizeof(float));

  /// Bytes 64 * G of `first`, of `second` from G = 4 on, as they are multiplied.
  template <int... G>
  [[gnu::always_inline]] static void spread(const uint8_t* first, const uint8_t* second, typename Lanes::Weights* to,
                                            std::integer_sequence<int, G...>) {
    (Lanes::template spread<8, G>(Lanes::load((G < 4 ? first : second) + 64 * (G % 4)), to), ...);
  }

  /// Lines of memory that are asked for at a time, so that `bytes` are in `count` times: all at once would fill the
  /// CPU's queue of loads.
  static int lines_at_a_time(int64_t bytes, int count) {
    const int lines = static_cast<int>((bytes + 63) / 64);
    return (lines + count - 1) / count;
  }
  static void prefetch(const uint8_t* group, int lines, int index) {
    const uint8_t* p = group + int64_t{64} * lines * index;
    for (int line = 0; line < lines; ++line) __builtin_prefetch(p + line * 64);
  }

  static void quantize_queries(const QueryRows& queries, int head_dim, Block* out) {
    const int blocks = code_blocks(head_dim), whole = head_dim / kBlock * kBlock;
    for (int r = 0; r < queries.rows; ++r) {
      const float* query = queries.query + static_cast<int64_t>(r) * head_dim;
      quantize<Lanes, Block>(query, whole, out + r * blocks);
      if (whole == head_dim) continue;
      float rest[kBlock] = {};
      std::memcpy(rest, query + whole, sizeof(float) * static_cast<size_t>(head_dim - whole));
      quantize<Lanes, Block>(rest, kBlock, out + r * blocks + blocks - 1);
    }
  }

  /// `query`: the first row's blocks, `blocks` a row. `lines`: of values that the `First` tile asks for at each block.
  template <int Rows, bool First>
  static void score_rows(const Block* query, const KeyBlock& block, int blocks, int lines, float* scores) {
    for (int g = 0; g < block.groups; ++g) {
      const uint8_t* codes = block.keys[g];
      const uint8_t* scales = codes + blocks * kBlockBytes;
      Floats sums[Rows];
      for (int r = 0; r < Rows; ++r) sums[r] = Lanes::zero();
      for (int b = 0; b < blocks; ++b, codes += kBlockBytes) {
        if constexpr (First) prefetch(block.values[g], lines, b);
        typename Lanes::Weights weights[kQuads];
        spread(codes, codes + kBlockBytes / 2, weights, std::make_integer_sequence<int, kQuads>());
        Ints products[Rows];
        Lanes::template dot<8, 0, kQuads, Rows>(weights, query + b, blocks, products);
        const Floats scale = Lanes::load_half(scales + b * kGroup * 2);
        for (int r = 0; r < Rows; ++r) {
          const Floats product = Lanes::mul(scale, Lanes::to_floats(products[r]));
          sums[r] = Lanes::fma(Lanes::splat(query[r * blocks + b].scale), product, sums[r]);
        }
      }
      for (int r = 0; r < Rows; ++r) Lanes::store(scores + r * kBlockKeys + g * kGroup, sums[r]);
    }
  }

  /// One row's weights, each times its value's scale. `columns`: numbers of a value, in whole groups of 16.
  static void quantize_weights(const float* weights, const KeyBlock& block, int columns, Block* out) {
    float scaled[kBlockKeys] = {};
    for (int g = 0; g < block.groups; ++g) {
      const auto* scales = reinterpret_cast<const uint16_t*>(block.values[g] + columns * kGroup);
      for (int i = 0; i < kGroup; i += V::kWidth) {
        const F weight = V::load(weights + g * kGroup + i);
        // Not the scale of a token that is not seen: it may be anything, and 0 times that must stay 0.
        const F product = V::mul(weight, V::load_half(scales + i));
        V::store(scaled + g * kGroup + i, V::select(V::less(V::zero(), weight), product, V::zero()));
      }
    }
    quantize<Lanes, Block>(scaled, kBlockKeys, out);
  }

  template <int Rows, bool First>
  static void mix_rows(const float* weights, const KeyBlock& block, const KeyBlock& next, int lines, int columns,
                       float* values) {
    Block rows[Rows][kTokenBlocks];
    for (int r = 0; r < Rows; ++r) quantize_weights(weights + r * kBlockKeys, block, columns, rows[r]);
    const auto codes = [&](int group, int panel) {
      // Beyond the last group there are no weights.
      return block.values[group < block.groups ? group : 0] + panel * kPanelBytes;
    };
    const int panels = columns / kLanes;
    for (int panel = 0; panel < panels; ++panel) {
      if constexpr (First) {
        for (int g = 0; g < next.groups; ++g) prefetch(next.keys[g], lines, panel);
      }
      float* const at = values + panel * kLanes;
      Floats sums[Rows];
      for (int r = 0; r < Rows; ++r) sums[r] = Lanes::load(at + r * columns);
      for (int part = 0; part * 2 < block.groups; ++part) {
        typename Lanes::Weights spread_codes[kQuads];
        spread(codes(2 * part, panel), codes(2 * part + 1, panel), spread_codes,
               std::make_integer_sequence<int, kQuads>());
        Ints products[Rows];
        Lanes::template dot<8, 0, kQuads, Rows>(spread_codes, &rows[0][part], kTokenBlocks, products);
        for (int r = 0; r < Rows; ++r) {
          sums[r] = Lanes::fma(Lanes::splat(rows[r][part].scale), Lanes::to_floats(products[r]), sums[r]);
        }
      }
      for (int r = 0; r < Rows; ++r) Lanes::store(at + r * columns, sums[r]);
    }
  }

  /// As AttentionKernels::attend, for any types. `scratch`: rows * (64 + query_code_floats) floats.
  static void attend(const PagedKeys& paged, const QueryRows& queries, int begin, int end, float* scratch,
                     const Partial& out) {
    const int dim = paged.head_dim, columns = paged.value_stride, blocks = code_blocks(dim);
    const int value_lines = lines_at_a_time(paged.value_group, blocks),
              key_lines = lines_at_a_time(paged.key_group, columns / kLanes);
    auto* const query = reinterpret_cast<Block*>(scratch + static_cast<int64_t>(queries.rows) * kBlockKeys);
    const auto score_codes = [&]<int Rows, bool First>(int row, const KeyBlock& block, float* scores) {
      score_rows<Rows, First>(query + static_cast<int64_t>(row) * blocks, block, blocks, value_lines, scores);
    };
    const auto score_halves = [&]<int Rows, bool First>(int row, const KeyBlock& block, float* scores) {
      const float* first = queries.query + static_cast<int64_t>(row) * dim;
      Attention::template score_rows<Rows, First ? 1 : 0>(first, block, dim, scores);
    };
    const auto mix_codes = [&]<int Rows, bool First>(const float* weights, const KeyBlock& block, const KeyBlock& next,
                                                     float* values) {
      mix_rows<Rows, First>(weights, block, next, key_lines, columns, values);
    };
    const auto mix_halves = [&]<int Rows, bool First>(const float* weights, const KeyBlock& block, const KeyBlock& next,
                                                      float* values) {
      Attention::template output_rows<Rows, First ? 1 : 0>(weights, block, next, columns, columns, values);
    };
    const auto run = [&](auto score, auto mix) {
      Attention::template attend_blocks<kTileRows>(paged, queries, begin, end, columns, scratch, out, score, mix);
    };
    if (paged.key_type == NumberType::Half && paged.value_type == NumberType::Half) {
      return Attention::attend(paged, queries, begin, end, scratch, out);
    }
    if (paged.key_type == NumberType::Half) return run(score_halves, mix_codes);
    quantize_queries(queries, dim, query);
    if (paged.value_type == NumberType::Half) return run(score_codes, mix_halves);
    run(score_codes, mix_codes);
  }
};

}  // namespace mlxr::kernels
