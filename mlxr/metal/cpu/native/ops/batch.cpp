#include "ops/batch.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace mlxr {
namespace {

/// Query rows of one item: enough that a loaded key serves many, few enough that their scores and outputs stay in the
/// first cache.
constexpr int kItemRows = 24;
constexpr int kStepPageSize = 64;

int group_of(int position, int page_size) {
  const int groups_per_page = (page_size + kGroup - 1) / kGroup;
  return position / page_size * groups_per_page + position % page_size / kGroup;
}

}  // namespace

Batch::Batch(std::vector<int32_t> query_starts, std::vector<int32_t> context_lengths, std::vector<int32_t> positions,
             std::vector<GroupTables> groups, std::shared_ptr<const AdapterRows> adapters,
             std::optional<std::vector<int32_t>> outputs)
    : query_starts_(std::move(query_starts)),
      context_lengths_(std::move(context_lengths)),
      positions_(std::move(positions)),
      groups_(std::move(groups)),
      adapters_(std::move(adapters)),
      outputs_(std::move(outputs)) {
  require(adapters_ == nullptr || adapters_->rows() == tokens(), "there must be adapters, or none, for every token");
  require(query_starts_.size() == context_lengths_.size() + 1,
          "query_starts must have one entry more than context_lengths");
  require(query_starts_.front() == 0 && query_starts_.back() == tokens(),
          "query_starts must run from 0 to the number of tokens");
  require(std::is_sorted(query_starts_.begin(), query_starts_.end()), "query_starts must ascend");
  if (outputs_) {
    int32_t least = 0;
    for (const int32_t token : *outputs_) {
      require(token >= least && token < tokens(), "outputs must be tokens of the batch, and ascend");
      least = token + 1;
    }
  }
  for (GroupTables& group : groups_) check(group);
}

void Batch::check(GroupTables& group) const {
  require(group.page_size > 0, "a page holds at least one token");
  group.states = group.slots.empty() && !positions_.empty();
  require(group.states || group.slots.size() == positions_.size(), "slots and positions must have one entry a token");
  if (sequences() > 0) {
    require(group.block_tables.size() % context_lengths_.size() == 0, "block_tables must have one row a sequence");
    group.width = static_cast<int>(group.block_tables.size() / context_lengths_.size());
  }
  for (int s = 0; s < sequences(); ++s) {
    if (query_starts_[s] == query_starts_[s + 1]) continue;
    require(group.states ? group.width > 0 : int64_t{context_lengths_[s]} <= int64_t{group.width} * group.page_size,
            "a block table is too short for its context");
    for (int t = query_starts_[s]; t < query_starts_[s + 1]; ++t) {
      require(positions_[t] >= 0 && positions_[t] < context_lengths_[s], "a position lies outside its context");
    }
  }
  for (const int32_t slot : group.slots) {
    require(slot >= 0, "a slot is negative");
    group.pages_used = std::max<int64_t>(group.pages_used, slot / group.page_size + 1);
  }
  for (const int32_t page : group.block_tables) {
    require(page >= 0, "a page is negative");
    group.pages_used = std::max<int64_t>(group.pages_used, page + 1);
  }
}

std::shared_ptr<const Batch> Batch::of_outputs() const {
  const std::lock_guard lock(mutex_);
  if (of_outputs_ != nullptr) return of_outputs_;
  const std::vector<int32_t>& chosen = *outputs_;
  const auto picked = [&](const std::vector<int32_t>& all) {
    std::vector<int32_t> some;
    for (const int32_t token : chosen) some.push_back(all[static_cast<size_t>(token)]);
    return some;
  };
  std::vector<int32_t> starts;
  for (const int32_t start : query_starts_) {
    starts.push_back(static_cast<int32_t>(std::lower_bound(chosen.begin(), chosen.end(), start) - chosen.begin()));
  }
  std::vector<GroupTables> groups;
  for (const GroupTables& group : groups_) {
    groups.push_back({group.states ? group.slots : picked(group.slots), group.block_tables, group.page_size});
  }
  of_outputs_ = std::make_shared<Batch>(std::move(starts), context_lengths_, picked(positions_), std::move(groups));
  return of_outputs_;
}

std::shared_ptr<const Batch> Batch::within_step() const {
  const std::lock_guard lock(mutex_);
  if (within_step_ == nullptr) {
    int width = 1;
    for (int s = 0; s < sequences(); ++s) {
      width = std::max(width, (query_starts_[s + 1] - query_starts_[s] + kStepPageSize - 1) / kStepPageSize);
    }
    std::vector<int32_t> tables(static_cast<size_t>(width) * sequences()), slots, positions, lengths;
    for (int s = 0, page = 0; s < sequences(); ++s) {
      const int length = query_starts_[s + 1] - query_starts_[s];
      lengths.push_back(length);
      for (int i = 0; i < length; ++i) {
        if (i % kStepPageSize == 0) tables[static_cast<size_t>(s) * width + i / kStepPageSize] = page++;
        slots.push_back(tables[static_cast<size_t>(s) * width + i / kStepPageSize] * kStepPageSize + i % kStepPageSize);
        positions.push_back(i);
      }
    }
    std::vector<GroupTables> groups{GroupTables{std::move(slots), std::move(tables), kStepPageSize}};
    within_step_ = std::make_shared<Batch>(query_starts_, lengths, positions, std::move(groups));
  }
  return within_step_;
}

std::shared_ptr<const AttentionPlan> Batch::plan(const AttentionShape& shape, int group) const {
  const std::lock_guard lock(mutex_);
  for (const auto& known : plans_) {
    if (known->shape == shape && known->cache_group == group) return known;
  }
  const int page_size = groups_[group].page_size;
  auto plan = std::make_shared<AttentionPlan>();
  plan->shape = shape;
  plan->cache_group = group;
  plan->split.resize(positions_.size());
  const int tile = std::max(1, kItemRows / shape.heads_per_kv());
  plan->rows = tile * shape.heads_per_kv();
  for (int s = 0; s < sequences(); ++s) {
    const int begin = query_starts_[s], end = query_starts_[s + 1];
    for (int token = begin; token < end; token += tile) {
      const int count = std::min(tile, end - token);
      const auto [least, most] = std::minmax_element(positions_.begin() + token, positions_.begin() + token + count);
      const int last = std::min(context_lengths_[s] - 1, shape.last_key(*most));
      const int first_seen = group_of(shape.first_key(*least), page_size);
      const int group_begin = first_seen / kBlockGroups * kBlockGroups;
      const int group_end = group_of(last, page_size) + 1;
      const int first_part = group_begin / kPartitionGroups, last_part = (group_end - 1) / kPartitionGroups;
      const int parts = last_part - first_part + 1;
      // A long prompt has tiles enough to share out; a few rows at a great depth do not, so their partitions are.
      const bool split = parts > 1 && end - begin <= tile;
      if (split) {
        for (int t = token; t < token + count; ++t) {
          plan->split[t] = {plan->partials, parts, (t - token) * shape.heads_per_kv()};
        }
      }
      for (int head = 0; head < shape.kv_heads; ++head) {
        if (!split) {
          plan->items.push_back({s, head, token, count, group_begin, first_seen, group_end, -1});
          continue;
        }
        for (int part = first_part; part <= last_part; ++part) {
          const int from = std::max(group_begin, part * kPartitionGroups);
          const int to = std::min(group_end, (part + 1) * kPartitionGroups);
          plan->items.push_back({s, head, token, count, from, first_seen, to, plan->partials++});
        }
      }
    }
  }
  // The largest first, so that no thread is left alone with one at the end.
  std::stable_sort(plan->items.begin(), plan->items.end(), [](const AttentionItem& a, const AttentionItem& b) {
    return int64_t{a.tokens} * (a.group_end - a.group_begin) > int64_t{b.tokens} * (b.group_end - b.group_begin);
  });
  plans_.push_back(plan);
  return plan;
}

std::shared_ptr<const RopeTable> Batch::rope(const std::shared_ptr<const Rope>& rope) const {
  const std::lock_guard lock(mutex_);
  for (const auto& known : ropes_) {
    if (known->rope == rope) return known;
  }
  auto table = std::make_shared<RopeTable>();
  table->rope = rope;
  const size_t pairs = rope->inverse_frequencies.size();
  table->cosines.resize(positions_.size() * pairs);
  table->sines.resize(positions_.size() * pairs);
  for (size_t t = 0; t < positions_.size(); ++t) {
    for (size_t i = 0; i < pairs; ++i) {
      // In double precision: at position 100,000 a float32 angle is off by 0.004.
      const double angle = static_cast<double>(positions_[t]) * static_cast<double>(rope->inverse_frequencies[i]);
      table->cosines[t * pairs + i] = static_cast<float>(std::cos(angle) * rope->magnitude);
      table->sines[t * pairs + i] = static_cast<float>(std::sin(angle) * rope->magnitude);
    }
  }
  ropes_.push_back(table);
  return table;
}

}  // namespace mlxr
