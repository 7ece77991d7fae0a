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
      const uint16_t* key = Attention::halves(block.keys[g]);
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

  /// A token's codes and scales as half precision.
  static void to_halves(const uint8_t* row, int numbers, uint16_t* out) {
    const auto* scales = reinterpret_cast<const uint16_t*>(row + code_blocks(numbers) * kCodeBlock);
    float codes[kCodeBlock], lanes[kWidth];
    for (int d = 0; d < numbers; d += kCodeBlock) {
      for (int i = 0; i < kCodeBlock; ++i) codes[i] = static_cast<float>(static_cast<int>(row[d + i]) - 128);
      uint16_t scale[kWidth];
      for (int i = 0; i < kWidth; ++i) scale[i] = scales[d / kCodeBlock];
      V::store(lanes, V::load_half(scale));
      const int count = numbers - d < kCodeBlock ? numbers - d : kCodeBlock;
      for (int i = 0; i < count; i += kWidth) {
        V::store_half(out + d + i, V::mul(V::load(codes + i), V::splat(lanes[0])));
      }
    }
  }

  /// As AttentionKernels::attend. `keys` are rows of `head_dim` numbers, the value's `columns` first. Codes become half
  /// precision a block at a time, behind the scores in `scratch`.
  static void attend(const PagedKeys& keys, const QueryRows& queries, int begin, int end, int columns, float* scratch,
                     const Partial& out) {
    using KeyBlock = typename Attention::KeyBlock;
    const int row_numbers = keys.head_dim;
    const auto score = [&]<int Rows, bool First>(int row, const KeyBlock& block, float* scores) {
      score_rows<Rows>(queries.query + static_cast<int64_t>(row) * row_numbers, block, row_numbers, scores);
    };
    const auto mix = [&]<int Rows, bool First>(const float* weights, const KeyBlock& block, const KeyBlock& next,
                                               float* values) {
      Attention::template output_rows<Rows, First ? 2 : 0>(weights, block, next, keys.value_stride, columns, values);
    };
    const auto open = [&](KeyBlock& block) {
      if (keys.key_type == NumberType::Half) return;
      auto* at = reinterpret_cast<uint16_t*>(scratch + static_cast<int64_t>(queries.rows) * kBlockKeys);
      const int64_t bytes = keys.key_group / kGroup;
      for (int g = 0; g < block.groups; ++g, at += static_cast<int64_t>(kGroup) * row_numbers) {
        for (int t = 0; t < block.count[g]; ++t) {
          to_halves(block.keys[g] + t * bytes, row_numbers, at + static_cast<int64_t>(t) * row_numbers);
        }
        block.keys[g] = block.values[g] = reinterpret_cast<const uint8_t*>(at);
      }
    };
    Attention::template attend_blocks<kTileRows>(keys, queries, begin, end, columns, scratch, out, score, mix, open);
  }
};

}  // namespace mlxr::kernels
