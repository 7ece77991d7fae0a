// Attention itself: query rows over partitions of the keys that they see, and partitions put together.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops/attention_buffers.h"

namespace mlxr {

void AttentionOperation::attend_item(const Context& context, const Buffers& b, const AttentionItem& item,
                                     float* scratch) const {
  const AttentionLayer& layer = *layer_;
  const AttentionShape& shape = layer.shape;
  const PageShape pages = page_shape();
  const int group = shape.heads_per_kv(), dim = shape.head_dim, stride = pages.value_stride(),
            rows = item.tokens * group;
  float* query = scratch;
  float* first_seen = query + int64_t{plan_->rows} * dim;
  float* last_seen = first_seen + plan_->rows;
  float* positions = last_seen + plan_->rows;
  float* slopes = positions + plan_->rows;
  float* scores = slopes + plan_->rows;
  float* partials = scratch + lines(plan_->rows * row_floats(dim));
  for (int t = 0; t < item.tokens; ++t) {
    const int token = item.first_token + t;
    std::memcpy(query + int64_t{t} * group * dim, b.query + token * b.query_width + int64_t{item.kv_head} * group * dim,
                sizeof(float) * static_cast<size_t>(group * dim));
    const int position = batch_->position(token);
    for (int g = 0; g < group; ++g) {
      const int row = t * group + g;
      last_seen[row] = static_cast<float>(shape.last_key(position));
      first_seen[row] = static_cast<float>(shape.first_key(position));
      positions[row] = static_cast<float>(position);
      if (!layer.alibi.empty()) slopes[row] = layer.alibi[static_cast<size_t>(item.kv_head * group + g)];
    }
  }
  const PagedKeys keys{b.pages.keys + item.kv_head * pages.head_keys(),
                       b.pages.values + item.kv_head * pages.head_values(),
                       batch_->pages(place_.group, item.sequence),
                       pages.page_keys(),
                       pages.page_values(),
                       pages.group_keys(),
                       pages.group_values(),
                       types_.keys,
                       types_.values,
                       pages.page_size,
                       batch_->context_length(item.sequence),
                       item.first_seen,
                       dim,
                       stride};
  const QueryRows queries{query,         last_seen, first_seen, positions, layer.alibi.empty() ? nullptr : slopes,
                          layer.softcap, rows};
  if (item.partial >= 0) {
    const Partial out = partial_at(b.partials, plan_->rows, stride, item.partial);
    return context.kernels.attend(keys, queries, item.group_begin, item.group_end, scores, out);
  }
  const Partial total = partial_at(partials, plan_->rows, stride, 0),
                next = partial_at(partials, plan_->rows, stride, 1);
  for (int from = item.group_begin; from < item.group_end;) {
    const int to = std::min((from / kPartitionGroups + 1) * kPartitionGroups, item.group_end);
    const bool first = from == item.group_begin;
    context.kernels.attend(keys, queries, from, to, scores, first ? total : next);
    if (!first) context.kernels.merge(next, rows, stride, total);
    from = to;
  }
  for (int r = 0; r < rows; ++r) {
    const int head = item.kv_head * group + r % group;
    finish_row(total, r, head, b.mixed + (item.first_token + r / group) * b.query_width + int64_t{head} * dim);
  }
}

/// Puts the partitions of a token together that were computed apart.
void AttentionOperation::merge_token(const Context& context, const Buffers& b, int token, float* scratch) const {
  const SplitToken split = plan_->split[static_cast<size_t>(token)];
  if (split.base < 0) return;
  const AttentionShape& shape = layer_->shape;
  const int group = shape.heads_per_kv(), stride = page_shape().value_stride();
  const Partial total = partial_at(scratch, plan_->rows, stride);
  for (int kv = 0; kv < shape.kv_heads; ++kv) {
    merge_parts(context.kernels, b.partials, plan_->rows, split, kv, group, stride, total);
    for (int g = 0; g < group; ++g) {
      const int head = kv * group + g;
      finish_row(total, g, head, b.mixed + token * b.query_width + int64_t{head} * shape.head_dim);
    }
  }
}

/// Divides by the softmax's sum, a sink's project included; a row that saw nothing is zero.
void AttentionOperation::finish_row(const Partial& from, int row, int head, float* out) const {
  const int dim = layer_->shape.head_dim;
  const float* values = from.values + int64_t{row} * page_shape().value_stride();
  float keep = 1.0f, sum = from.sum[row];
  if (!layer_->sinks.empty()) {
    const float sink = layer_->sinks[static_cast<size_t>(head)];
    const float top = std::max(from.max[row], sink);
    keep = std::exp(from.max[row] - top);
    sum = sum * keep + std::exp(sink - top);
  }
  const float factor = sum > 0.0f ? keep / sum : 0.0f;
  for (int d = 0; d < dim; ++d) out[d] = values[d] * factor;
}

}  // namespace mlxr
