// Attention to keys whose first numbers are their values (multi-head latent attention): one vector a token, in rows.
//
// All query heads share the keys, so a block of them is read from memory once for a tile of rows, and its rows serve
// both products. A score is a chain of multiply-adds a lane, over dimensions ascending, then the sum of the lanes by
// one fixed tree: what stands beside it in a tile changes no bit of it.
#pragma once

#include "kernels/attention_kernels.h"

namespace mlxr::kernels {

template <class V>
struct LatentKernels {
  using Attention = AttentionKernels<V>;
  using F = typename V::Register;
  static constexpr int kWidth = V::kWidth;
  static constexpr int kTileRows = 4;
  /// With kTileRows rows, accumulators that fit the registers beside a few operands.
  static constexpr int kTileTokens = kWidth == 8 ? 2 : 4;

  /// Scores of some rows and neighbouring tokens. `stride`: numbers of a row, whole vectors of them.
  template <int Rows, int Tokens>
  static void score_tile(const float* query, const uint16_t* key, int stride, float* scores) {
    constexpr int kSums = (Rows * Tokens + kWidth - 1) / kWidth * kWidth;
    F total[kSums];
    for (int i = 0; i < kSums; ++i) total[i] = V::zero();
    for (int d = 0; d < stride; d += kWidth) {
      F own[Rows];
      for (int r = 0; r < Rows; ++r) own[r] = V::load(query + r * stride + d);
      for (int t = 0; t < Tokens; ++t) {
        const F numbers = V::load_half(key + t * stride + d);
        for (int r = 0; r < Rows; ++r) total[r * Tokens + t] = V::fma(own[r], numbers, total[r * Tokens + t]);
      }
    }
    float sums[kSums];
    for (int i = 0; i < kSums; i += kWidth) V::store(sums + i, V::sums(total + i));
    for (int r = 0; r < Rows; ++r) {
      for (int t = 0; t < Tokens; ++t) scores[r * kBlockKeys + t] = sums[r * Tokens + t];
    }
  }

  template <int Rows>
  static void score_rows(const float* query, const typename Attention::KeyBlock& block, int stride, float* scores) {
    for (int g = 0; g < block.groups; ++g) {
      const uint16_t* key = block.keys[g];
      float* at = scores + g * kGroup;
      int t = 0;
      for (; t + kTileTokens <= block.count[g]; t += kTileTokens) {
        score_tile<Rows, kTileTokens>(query, key + t * stride, stride, at + t);
      }
      for (; t < block.count[g]; ++t) score_tile<Rows, 1>(query, key + t * stride, stride, at + t);
      // Those beyond are masked, whatever they are.
      for (int r = 0; r < Rows; ++r) {
        for (int rest = block.count[g]; rest < kGroup; ++rest) at[r * kBlockKeys + rest] = 0.0f;
      }
    }
  }

  /// As AttentionKernels::attend. `keys` are rows of `head_dim` numbers, the value's `columns` first.
  static void attend(const PagedKeys& keys, const QueryRows& queries, int begin, int end, int columns, float* scratch,
                     const Partial& out) {
    const auto score = [stride = keys.head_dim]<int Rows>(const float* query, const typename Attention::KeyBlock& block,
                                                          float* scores) {
      score_rows<Rows>(query, block, stride, scores);
    };
    Attention::template attend_blocks<kTileRows>(keys, queries, begin, end, columns, scratch, out, score);
  }
};

}  // namespace mlxr::kernels
