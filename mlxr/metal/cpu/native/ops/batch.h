// The ragged layout of one step, and how its attention is cut into work. Built once a step on the host and shared by
// all layers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "kernels/kernel_table.h"
#include "ops/low_rank.h"

namespace mlxr {

/// Rotary embedding: angles of pair i at position p are p * inverse_frequencies[i].
struct Rope {
  bool neighbours;  // pairs (2i, 2i + 1) rather than halves (i, i + n)
  std::vector<float> inverse_frequencies;
  float magnitude;
};

/// Cosines and sines of every token's angles, [tokens, pairs] each.
struct RopeTable {
  std::shared_ptr<const Rope> rope;
  std::vector<float> cosines, sines;
};

/// More than any position, and exact in float32 with a half added.
constexpr int kEveryKey = 4194304;

struct AttentionShape {
  int heads;
  int kv_heads;
  int head_dim;
  int window;  // 0: none
  bool causal;
  bool chunked;  // windows begin at multiples of their size

  int heads_per_kv() const { return heads / kv_heads; }
  /// The first position that a query at `position` sees.
  int first_key(int position) const {
    if (window == 0) return 0;
    return chunked ? position / window * window : std::max(0, position - window + 1);
  }
  /// The last one, which may lie beyond its sequence.
  int last_key(int position) const {
    if (causal) return position;
    return window > 0 ? position + window - 1 : kEveryKey;
  }
  bool operator==(const AttentionShape&) const = default;
};

/// Query rows of some neighbouring tokens of one sequence and one KV head, against groups of keys [group_begin,
/// group_end), which begin with a whole block so that sums keep their order.
struct AttentionItem {
  int sequence;
  int kv_head;
  int first_token;
  int tokens;
  int group_begin;
  int first_seen;  // the first group that holds a key which a row sees; those before may be somebody else's by now
  int group_end;
  int partial;  // where its result waits to be merged; -1: the item covers all partitions and finishes its rows itself
};

/// A token whose partitions were computed apart: partial `base + kv_head * parts + part`, from row `row` on.
struct SplitToken {
  int base = -1;
  int parts = 0;
  int row = 0;
};

struct AttentionPlan {
  AttentionShape shape;
  int cache_group = 0;
  std::vector<AttentionItem> items;
  std::vector<SplitToken> split;  // one a token
  int partials = 0;
  int rows = 0;  // most query rows of an item
};

/// Where one cache group keeps a step's keys and values, or its states, as mlxr.metal.batch.GroupTables.
struct GroupTables {
  std::vector<int32_t> slots, block_tables;
  int page_size = 1;
  bool states = false;     // a page is a state: no slots, and a sequence's one entry is its own
  int width = 0;           // entries of a sequence
  int64_t pages_used = 0;  // one more than the greatest page written or read
};

class Batch {
 public:
  /// As mlxr.metal.batch.Batch; of a group's tables `states` (there are no slots for its tokens), `width` and
  /// `pages_used` are filled in. Throws
  /// std::invalid_argument when the arrays do not fit together.
  Batch(std::vector<int32_t> query_starts, std::vector<int32_t> context_lengths, std::vector<int32_t> positions,
        std::vector<GroupTables> groups, std::shared_ptr<const AdapterRows> adapters = nullptr,
        std::optional<std::vector<int32_t>> outputs = std::nullopt);

  int sequences() const { return static_cast<int>(context_lengths_.size()); }
  int tokens() const { return static_cast<int>(positions_.size()); }
  int groups() const { return static_cast<int>(groups_.size()); }
  const GroupTables& group(int index) const { return groups_[static_cast<size_t>(index)]; }
  int query_start(int sequence) const { return query_starts_[sequence]; }
  int context_length(int sequence) const { return context_lengths_[sequence]; }
  int position(int token) const { return positions_[token]; }
  const int32_t* pages(int group, int sequence) const {
    return groups_[group].block_tables.data() + int64_t{sequence} * groups_[group].width;
  }

  /// The adapters of the tokens' rows; null where none has any.
  const std::shared_ptr<const AdapterRows>& adapters() const { return adapters_; }

  /// The tokens, ascending, whose rows are read behind the layers; nothing where those of all may be.
  const std::optional<std::vector<int32_t>>& outputs() const { return outputs_; }
  /// The same batch without its other tokens, whose keys and values must be in their pages; there are outputs, and no
  /// adapters.
  std::shared_ptr<const Batch> of_outputs() const;

  /// The same batch laid out in pages of its own, in one group, for attention without a pool.
  std::shared_ptr<const Batch> within_step() const;

  /// Made when first asked for. Callable from any thread.
  std::shared_ptr<const AttentionPlan> plan(const AttentionShape& shape, int group) const;
  std::shared_ptr<const RopeTable> rope(const std::shared_ptr<const Rope>& rope) const;

 private:
  void check(GroupTables& group) const;

  std::vector<int32_t> query_starts_, context_lengths_, positions_;
  std::vector<GroupTables> groups_;
  std::shared_ptr<const AdapterRows> adapters_;
  std::optional<std::vector<int32_t>> outputs_;
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const AttentionPlan>> plans_;
  mutable std::vector<std::shared_ptr<const RopeTable>> ropes_;
  mutable std::shared_ptr<const Batch> within_step_, of_outputs_;
};

}  // namespace mlxr
