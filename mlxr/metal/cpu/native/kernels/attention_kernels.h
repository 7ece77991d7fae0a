// Attention of a tile of query rows to paged keys, with the online softmax of Milakov and Gimelshein (2018) over blocks
// of 64 keys.
//
// Every number is a chain of multiply-adds in one order: scores over dimensions ascending, outputs over keys ascending.
// How many rows or groups a tile computes side by side changes only how often a key is loaded, so a decode row and the
// same row of a prefill chunk agree in every bit. A block that a row may not see leaves the row unchanged exactly: its
// weights are 0 and its rescaling is exp(0) = 1.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/kernel_table.h"
#include "simd/math.h"

namespace mlxr::kernels {

template <class V>
struct AttentionKernels {
  using F = typename V::Register;
  using M = simd::Math<V>;
  static constexpr int kWidth = V::kWidth;

  static constexpr int kGroupVectors = kGroup / kWidth;
  /// Accumulators that fit the registers beside a few operands: 16 registers on AVX2, 32 on AVX-512 and NEON.
  static constexpr int kAccumulators = kWidth == 8 ? 12 : 24;
  static constexpr int kTileRows = 6;
  static constexpr float kLowest = std::numeric_limits<float>::lowest();

  static constexpr int side_by_side(int rows, int unit, int most) {
    int count = most;
    while (count > 1 && rows * unit * count > kAccumulators) count /= 2;
    return count;
  }

  struct KeyBlock {
    const uint8_t* keys[kBlockGroups];
    const uint8_t* values[kBlockGroups];
    int first[kBlockGroups];  // position of the group's first token
    int count[kBlockGroups];  // tokens it has
    int groups = 0;
  };

  static const uint16_t* halves(const uint8_t* p) { return reinterpret_cast<const uint16_t*>(p); }

  static KeyBlock find_keys(const PagedKeys& paged, int begin, int end) {
    const int groups_per_page = (paged.page_size + kGroup - 1) / kGroup;
    KeyBlock block;
    for (int at = begin; at < end; ++at) {
      // A group before what is seen has no tokens; its place is taken by one that may be read.
      const int index = at < paged.first_seen ? paged.first_seen : at;
      const int slot = index / groups_per_page, within = index % groups_per_page;
      const int64_t page = paged.pages[slot];
      const int g = block.groups++;
      block.keys[g] = paged.keys + page * paged.key_page + within * paged.key_group;
      block.values[g] = paged.values + page * paged.value_page + within * paged.value_group;
      block.first[g] = slot * paged.page_size + within * kGroup;
      const int in_page = paged.page_size - within * kGroup;
      const int in_sequence = paged.length - block.first[g];
      const int count = at < index ? 0 : in_page < in_sequence ? in_page : in_sequence;
      block.count[g] = count < 0 ? 0 : count < kGroup ? count : kGroup;
    }
    return block;
  }

  /// total[r][v] += left[r] * right[v], holding the fewer operands in registers: with 12 sums that decides whether any
  /// spill.
  template <int Rows, int Vectors, class Left, class Right>
  static void outer_product(F (&total)[Rows][Vectors], Left left, Right right) {
    if constexpr (Rows < Vectors) {
      F held[Rows];
      for (int r = 0; r < Rows; ++r) held[r] = left(r);
      for (int v = 0; v < Vectors; ++v) {
        const F one = right(v);
        for (int r = 0; r < Rows; ++r) total[r][v] = V::fma(held[r], one, total[r][v]);
      }
    } else {
      F held[Vectors];
      for (int v = 0; v < Vectors; ++v) held[v] = right(v);
      for (int r = 0; r < Rows; ++r) {
        const F one = left(r);
        for (int v = 0; v < Vectors; ++v) total[r][v] = V::fma(one, held[v], total[r][v]);
      }
    }
  }

  /// `Bytes`: of a number of the values that are asked for meanwhile, 0 where they are not (see attend_blocks).
  template <int Rows, int Groups, int Bytes>
  static void score_tile(const float* query, const uint8_t* const* keys, const uint8_t* const* values, int head_dim,
                         float* scores) {
    constexpr int kVectors = Groups * kGroupVectors;
    F total[Rows][kVectors];
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < kVectors; ++v) total[r][v] = V::zero();
    }
    for (int d = 0; d < head_dim; ++d) {
      if constexpr (Bytes > 0) {
        for (int g = 0; g < Groups; ++g) __builtin_prefetch(values[g] + d * kGroup * Bytes);
      }
      outer_product<Rows, kVectors>(
          total, [&](int r) { return V::splat(query[r * head_dim + d]); },
          [&](int v) {
            return V::load_half(halves(keys[v / kGroupVectors]) + d * kGroup + v % kGroupVectors * kWidth);
          });
    }
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < kVectors; ++v) V::store(scores + r * kBlockKeys + v * kWidth, total[r][v]);
    }
  }

  template <int Rows, int Bytes>
  static void score_rows(const float* query, const KeyBlock& block, int head_dim, float* scores) {
    constexpr int kSide = side_by_side(Rows, kGroupVectors, kBlockGroups);
    int g = 0;
    for (; g + kSide <= block.groups; g += kSide) {
      score_tile<Rows, kSide, Bytes>(query, block.keys + g, block.values + g, head_dim, scores + g * kGroup);
    }
    for (; g < block.groups; ++g) {
      score_tile<Rows, 1, Bytes>(query, block.keys + g, block.values + g, head_dim, scores + g * kGroup);
    }
  }

  /// `Bytes`: of a number of the keys that are asked for meanwhile, 0 where they are not.
  template <int Rows, int Vectors, int Bytes>
  static void output_tile(const float* weights, const KeyBlock& block, const KeyBlock& next, int column, int stride,
                          int columns, float* values) {
    F total[Rows][Vectors];
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < Vectors; ++v) total[r][v] = V::load(values + r * columns + column + v * kWidth);
    }
    for (int g = 0; g < block.groups; ++g) {
      const uint16_t* row = halves(block.values[g]) + column;
      const float* weight = weights + g * kGroup;
      [[maybe_unused]] const uint8_t* coming = next.keys[g < next.groups ? g : 0] + column * Bytes;
      for (int t = 0; t < block.count[g]; ++t, row += stride) {
        if constexpr (Bytes > 0) __builtin_prefetch(coming + t * stride * Bytes);
        outer_product<Rows, Vectors>(
            total, [&](int r) { return V::splat(weight[r * kBlockKeys + t]); },
            [&](int v) { return V::load_half(row + v * kWidth); });
      }
    }
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < Vectors; ++v) V::store(values + r * columns + column + v * kWidth, total[r][v]);
    }
  }

  /// `stride`: numbers from one token's value to the next; `columns`: numbers of a value, and of an output.
  template <int Rows, int Bytes>
  static void output_rows(const float* weights, const KeyBlock& block, const KeyBlock& next, int stride, int columns,
                          float* values) {
    constexpr int kSide = side_by_side(Rows, 1, 8);
    int column = 0;
    for (; column + kSide * kWidth <= columns; column += kSide * kWidth) {
      output_tile<Rows, kSide, Bytes>(weights, block, next, column, stride, columns, values);
    }
    for (; column < columns; column += kWidth) {
      output_tile<Rows, 1, Bytes>(weights, block, next, column, stride, columns, values);
    }
  }

  /// Calls f with each run of up to Most rows and its length as a compile-time constant.
  template <int Most, class Function>
  static void tiles(int rows, Function f) {
    static_assert(Most <= kTileRows);
    int row = 0;
    for (; row + Most <= rows; row += Most) f.template operator()<Most>(row);
    if constexpr (Most > 5) {
      if (rows - row == 5) return f.template operator()<5>(row);
    }
    if constexpr (Most > 4) {
      if (rows - row == 4) return f.template operator()<4>(row);
    }
    switch (rows - row) {
      case 3: return f.template operator()<3>(row);
      case 2: return f.template operator()<2>(row);
      case 1: return f.template operator()<1>(row);
      default: return;
    }
  }

  /// scores -= slope * |position - key's position|
  static void add_distances(const KeyBlock& block, float slope, float position, float* scores) {
    for (int g = 0; g < block.groups; ++g) {
      const F first = V::splat(static_cast<float>(block.first[g]) - position);
      for (int v = 0; v < kGroupVectors; ++v) {
        const F away = V::add(V::add(V::iota(), V::splat(static_cast<float>(v * kWidth))), first);
        const F distance = V::max(away, V::sub(V::zero(), away));
        float* at = scores + g * kGroup + v * kWidth;
        V::store(at, V::fma(distance, V::splat(-slope), V::load(at)));
      }
    }
  }

  static void mask_scores(const KeyBlock& block, float first_seen, float last_seen, float* scores) {
    const F hidden = V::splat(-std::numeric_limits<float>::infinity());
    for (int g = 0; g < block.groups; ++g) {
      const float first = static_cast<float>(block.first[g]), count = static_cast<float>(block.count[g]);
      if (block.count[g] == kGroup && first >= first_seen && first + kGroup - 1 <= last_seen) continue;
      for (int v = 0; v < kGroupVectors; ++v) {
        const F lane = V::add(V::iota(), V::splat(static_cast<float>(v * kWidth)));
        const F position = V::add(lane, V::splat(first));
        const typename V::Mask seen = V::both(
            V::less(lane, V::splat(count)),
            V::both(V::less(position, V::splat(last_seen + 0.5f)), V::less(V::splat(first_seen - 0.5f), position)));
        float* at = scores + g * kGroup + v * kWidth;
        V::store(at, V::select(seen, V::load(at), hidden));
      }
    }
  }

  /// Turns one row's scores into weights relative to its running maximum, and rescales what it has so far.
  static void update_softmax(const KeyBlock& block, int stride, float* scores, float* row_max, float* row_sum,
                             float* values) {
    const int vectors = block.groups * kGroupVectors;
    F top = V::splat(kLowest);
    for (int v = 0; v < vectors; ++v) top = V::max(top, V::load(scores + v * kWidth));
    const float before = *row_max;
    const float block_max = M::largest(top);
    const float now = block_max > before ? block_max : before;
    F total = V::zero();
    for (int v = 0; v < vectors; ++v) {
      const F weight = M::exp(V::sub(V::load(scores + v * kWidth), V::splat(now)));
      V::store(scores + v * kWidth, weight);
      total = V::add(total, weight);
    }
    float rescale = 1.0f;
    if (now != before) {
      float lane[kWidth];
      V::store(lane, M::exp(V::splat(before - now)));
      rescale = lane[0];
      for (int i = 0; i < stride; i += kWidth) V::store(values + i, V::mul(V::load(values + i), V::splat(rescale)));
    }
    *row_sum = *row_sum * rescale + M::sum(total);
    *row_max = now;
  }

  /// Keys and values in half precision.
  static void attend(const PagedKeys& paged, const QueryRows& queries, int begin, int end, float* scratch,
                     const Partial& out) {
    const auto score = [&]<int Rows, bool First>(int row, const KeyBlock& block, float* scores) {
      const float* query = queries.query + static_cast<int64_t>(row) * paged.head_dim;
      score_rows<Rows, First ? 2 : 0>(query, block, paged.head_dim, scores);
    };
    const auto mix = [stride = paged.value_stride]<int Rows, bool First>(const float* weights, const KeyBlock& block,
                                                                         const KeyBlock& next, float* values) {
      output_rows<Rows, First ? 2 : 0>(weights, block, next, stride, stride, values);
    };
    attend_blocks<kTileRows>(paged, queries, begin, end, paged.value_stride, scratch, out, score, mix);
  }

  /// `score<Rows, First>(row, block, scores)` makes the scores of Rows rows from `row` on and a block of keys;
  /// `mix<Rows, First>(weights, block, next, values)` adds the block's values; `open(block)` may put others in the
  /// place of its keys and values. `columns`: numbers of a value.
  ///
  /// Pages are too short for the CPU to see them coming, so the first tile that meets a block asks for memory early:
  /// for the block's values while its scores are computed, and for the next block's keys while its output is. To the
  /// tiles behind it all of that is near.
  template <int TileRows, class Score, class Mix, class Open = void (*)(KeyBlock&)>
  static void attend_blocks(
      const PagedKeys& paged, const QueryRows& queries, int begin, int end, int columns, float* scratch,
      const Partial& out, Score score, Mix mix, Open open = [](KeyBlock&) {}) {
    for (int r = 0; r < queries.rows; ++r) {
      out.max[r] = kLowest;
      out.sum[r] = 0.0f;
      std::memset(out.values + static_cast<int64_t>(r) * columns, 0, sizeof(float) * static_cast<size_t>(columns));
    }
    const auto block_at = [&](int at) {
      return find_keys(paged, at, at + kBlockGroups < end ? at + kBlockGroups : end);
    };
    KeyBlock next = block_at(begin);
    for (int at = begin; at < end; at += kBlockGroups) {
      KeyBlock block = next;
      if (at + kBlockGroups < end) next = block_at(at + kBlockGroups);
      open(block);
      tiles<TileRows>(queries.rows, [&]<int Rows>(int row) {
        float* scores = scratch + row * kBlockKeys;
        if (row == 0) {
          score.template operator()<Rows, true>(row, block, scores);
        } else {
          score.template operator()<Rows, false>(row, block, scores);
        }
        for (int r = 0; r < Rows; ++r) {
          float* own = scores + r * kBlockKeys;
          if (queries.softcap > 0) {
            for (int v = 0; v < block.groups * kGroupVectors; ++v) {
              const F capped = V::mul(V::splat(queries.softcap),
                                      M::tanh(V::div(V::load(own + v * kWidth), V::splat(queries.softcap))));
              V::store(own + v * kWidth, capped);
            }
          }
          if (queries.slope != nullptr) {
            add_distances(block, queries.slope[row + r], queries.position[row + r], own);
          }
          mask_scores(block, queries.first_seen[row + r], queries.last_seen[row + r], own);
          update_softmax(block, columns, own, out.max + row + r, out.sum + row + r,
                         out.values + static_cast<int64_t>(row + r) * columns);
        }
        float* const values = out.values + static_cast<int64_t>(row) * columns;
        if (row == 0) {
          mix.template operator()<Rows, true>(scores, block, next, values);
        } else {
          mix.template operator()<Rows, false>(scores, block, next, values);
        }
      });
    }
  }

  static void merge(const Partial& part, int rows, int stride, const Partial& into) {
    for (int r = 0; r < rows; ++r) {
      const float now = part.max[r] > into.max[r] ? part.max[r] : into.max[r];
      float lane[kWidth];
      V::store(lane, M::exp(V::splat(into.max[r] - now)));
      const F keep = V::splat(lane[0]);
      V::store(lane, M::exp(V::splat(part.max[r] - now)));
      const F take = V::splat(lane[0]);
      for (int i = r * stride; i < (r + 1) * stride; i += kWidth) {
        V::store(into.values + i, V::fma(V::load(part.values + i), take, V::mul(V::load(into.values + i), keep)));
      }
      float total[kWidth];
      V::store(total, V::fma(V::splat(part.sum[r]), take, V::mul(V::splat(into.sum[r]), keep)));
      into.sum[r] = total[0];
      into.max[r] = now;
    }
  }
};

}  // namespace mlxr::kernels
