#include "ops/latent.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "ops/partials.h"

namespace mlxr {
namespace {

/// Heads whose rows are computed together, at most: enough that a loaded key serves many, few enough that one
/// sequence's heads occupy several threads.
constexpr int kMostHeads = 12;

int heads_together(int heads) {
  int count = std::min(heads, kMostHeads);
  while (heads % count != 0) --count;
  return count;
}

bool is(const MatrixPtr& m, int64_t rows, int64_t cols) { return m->rows == rows && m->cols == cols && !m->int16; }

}  // namespace

AttentionShape LatentLayer::shape() const { return {heads, heads / heads_together(heads), row(), 0, true, false}; }

void LatentLayer::check() const {
  require(heads >= 1 && rank >= 1 && plain_dims >= 1 && rope_dims >= 0 && value_dims >= 1, "sizes are positive");
  require(rank % kLanes == 0 && value_dims % kLanes == 0, "latents and values have multiples of 16 numbers");
  const int64_t width = latent->cols, inputs = query_down != nullptr ? query_down->rows : width;
  const auto fits = [](const Vector& v, int64_t size) { return static_cast<int64_t>(v.size()) == size; };
  require(is(latent, kept(), width) && is(query, queries(), inputs) && is(output, width, int64_t{heads} * value_dims),
          "a projection of latent attention does not fit");
  require(is(key_up, int64_t{heads} * rank, plain_dims) && is(value_up, int64_t{heads} * value_dims, rank),
          "the heads' own matrices do not fit");
  require(query_down == nullptr || (query_down->cols == width && !query_down->int16 && fits(query_norm, inputs)),
          "the first of the queries' products does not fit");
  require(fits(latent_norm, rank) && (norm.empty() || fits(norm, width)), "a norm has the wrong length");
  require(temperature.length >= 0 && temperature.offset >= 0, "a temperature's length and offset are not negative");
  require(rope == nullptr || static_cast<int>(rope->inverse_frequencies.size()) * 2 == rope_dims,
          "the rope turns another number of dimensions");
}

/// Everything the phases read and write, looked up once a thread.
struct LatentOperation::Buffers {
  Activations& inputs;
  Activations* down_inputs;    // between the queries' two products
  Activations& plain_inputs;   // [heads * tokens, plain_dims], a head's tokens side by side
  Activations& latent_inputs;  // [heads * tokens, rank], likewise
  Activations& value_inputs;
  float* query;     // [tokens, heads * (plain_dims + rope_dims)]
  float* down;      // [tokens, query_rank]
  float* kept;      // [tokens, rank + rope_dims]
  float* absorbed;  // [tokens, heads, row]: queries as they meet what is kept
  float* values;    // [tokens, heads * value_dims]
  float* result;    // [tokens, width]
  float* mixed;     // [tokens, heads, rank]
  float* partials;
  uint8_t* pages;
  int64_t tokens;
};

LatentOperation::LatentOperation(std::shared_ptr<const LatentLayer> layer, std::shared_ptr<const Batch> batch,
                                 std::shared_ptr<const PagePool> pool, int index)
    : layer_(std::move(layer)), batch_(std::move(batch)), pool_(std::move(pool)), index_(index) {
  require(pool_ != nullptr, "latent attention needs a pool");
  if (layer_->rope != nullptr) rope_ = batch_->rope(layer_->rope);
  place_ = pool_->place(index);
  require(place_.group >= 0, "the pool has no such layer");
  require(place_.group < batch_->groups(), "the batch has no tables for the layer's cache group");
  const GroupTables& tables = batch_->group(place_.group);
  const GroupPages& pages = pool_->group(place_.group);
  require(!tables.states, "the layer's cache group keeps states, not latents");
  type_ = pages.types().keys;
  require(pages.parts() == latent_parts(tables.page_size, layer_->kept(), type_),
          "layer and pool differ in shape or page size");
  require(tables.pages_used <= pages.pages(), "the batch uses a page beyond the pool");
  plan_ = batch_->plan(layer_->shape(), place_.group);
}

StepMaker LatentOperation::for_steps() const {
  return [layer = layer_, index = index_](const auto& batch, const auto& pool) {
    return std::make_shared<const LatentOperation>(layer, batch, pool, index);
  };
}

/// An item's queries, what they see and their scores, and a block of keys that were codes.
int64_t LatentOperation::item_floats() const {
  return int64_t{plan_->rows} * (layer_->row() + kBlockKeys + 2) + latent_block_floats(layer_->row());
}

/// A thread's scratch: an item's queries, what they see and their scores, then two partials; or a row.
int64_t LatentOperation::thread_floats(int64_t width) const {
  const int64_t rows = item_floats();
  return lines(std::max(lines(rows) + 2 * partial_floats(plan_->rows, layer_->rank), width));
}

void LatentOperation::prepare(const Context& context, const Operands& operands) const {
  const LatentLayer& layer = *layer_;
  const int64_t tokens = operands.rows, heads = layer.heads;
  const unsigned alone = tokens == 1 ? kNeedsAlone : 0u;
  Workspace& space = context.workspace;
  const MatrixPtr& first = layer.query_down != nullptr ? layer.query_down : layer.query;
  space.reserve_activations(tokens, operands.width, needs(*first) | needs(*layer.latent), context.isa);
  if (layer.query_down != nullptr) {
    space.reserve_activations(tokens, layer.query_down->rows, needs(*layer.query), context.isa);
    space.reserve_floats(Buffer::Value, tokens * layer.query_down->rows);
  }
  space.reserve_activations(tokens * heads, layer.plain_dims, needs(*layer.key_up) | alone, context.isa);
  space.reserve_activations(tokens * heads, layer.rank, needs(*layer.value_up) | alone, context.isa);
  space.reserve_activations(tokens, heads * layer.value_dims, needs(*layer.output), context.isa);
  space.reserve_floats(Buffer::Query, tokens * layer.queries());
  space.reserve_floats(Buffer::Key, tokens * layer.kept());
  space.reserve_floats(Buffer::Up, tokens * heads * layer.row());
  space.reserve_floats(Buffer::Gate, tokens * heads * layer.value_dims);
  space.reserve_floats(Buffer::Result, tokens * operands.width);
  space.reserve_floats(Buffer::Mixed, tokens * heads * layer.rank);
  space.reserve_floats(Buffer::Partials, plan_->partials * partial_floats(plan_->rows, layer.rank));
  space.reserve_floats(Buffer::PerThread, context.threads * thread_floats(operands.width));
}

LatentOperation::Buffers LatentOperation::buffers(const Context& context, const Operands& operands) const {
  const LatentLayer& layer = *layer_;
  const int64_t tokens = operands.rows, heads = layer.heads;
  const unsigned alone = tokens == 1 ? kNeedsAlone : 0u;
  Workspace& space = context.workspace;
  const MatrixPtr& first = layer.query_down != nullptr ? layer.query_down : layer.query;
  return {
      space.activations(tokens, operands.width, needs(*first) | needs(*layer.latent)),
      layer.query_down != nullptr ? &space.activations(tokens, layer.query_down->rows, needs(*layer.query)) : nullptr,
      space.activations(tokens * heads, layer.plain_dims, needs(*layer.key_up) | alone),
      space.activations(tokens * heads, layer.rank, needs(*layer.value_up) | alone),
      space.activations(tokens, heads * layer.value_dims, needs(*layer.output)),
      space.at(Buffer::Query),
      space.at(Buffer::Value),
      space.at(Buffer::Key),
      space.at(Buffer::Up),
      space.at(Buffer::Gate),
      space.at(Buffer::Result),
      space.at(Buffer::Mixed),
      space.at(Buffer::Partials),
      pool_->group(place_.group).part<uint8_t>(place_.layer, 0),
      tokens,
  };
}

void LatentOperation::run(Team& team, const Context& context, const Operands& operands) const {
  const LatentLayer& layer = *layer_;
  const KernelTable& kernels = context.kernels;
  const int64_t tokens = operands.rows, width = operands.width;
  if (tokens == 0) return;
  const Buffers b = buffers(context, operands);
  float* scratch = context.workspace.at(Buffer::PerThread) + team.index() * thread_floats(width);

  const auto each_token = [&](auto body) {
    team.loop(tokens, 4, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) body(t);
    });
  };
  const auto project = [&](const Matrix& m, const Activations& x, float* y) {
    team.loop(m.panels(), m.grain(tokens, team.size()),
              [&](int64_t begin, int64_t end) { matmul_panels(m, x, y, m.rows, begin, end); });
  };
  // Each head's own matrix with its own rows. `stride`: numbers from one head's outputs to the next.
  const auto project_heads = [&](const Matrix& m, const Activations& x, int64_t features, int64_t stride, float* y) {
    const int64_t panels = features / kLanes;
    team.loop(m.panels(), std::min(panels, m.grain(tokens, team.size())), [&](int64_t begin, int64_t end) {
      while (begin < end) {
        const int64_t head = begin / panels, to = std::min(end, (head + 1) * panels);
        // Outputs of the whole matrix would begin so far before those of this head.
        float* const origin = y + head * (stride - features);
        matmul_panel_rows(m, x, head * tokens, tokens, origin, layer.heads * stride, begin, to, nullptr);
        begin = to;
      }
    });
  };

  each_token([&](int64_t t) {
    const float* row = operands.in + t * width;
    if (!layer.norm.empty()) {
      kernels.rms_norm(row, layer.norm.data(), static_cast<int>(width), layer.norm_eps, scratch);
      row = scratch;
    }
    b.inputs.set_row(t, row);
  });
  team.barrier();

  project(*layer.latent, b.inputs, b.kept);
  if (layer.query_down != nullptr) {
    project(*layer.query_down, b.inputs, b.down);
    team.barrier();
    each_token([&](int64_t t) {
      const int size = static_cast<int>(layer.query_down->rows);
      float* row = b.down + t * size;
      kernels.rms_norm(row, layer.query_norm.data(), size, layer.latent_eps, row);
      b.down_inputs->set_row(t, row);
    });
    team.barrier();
    project(*layer.query, *b.down_inputs, b.query);
  } else {
    project(*layer.query, b.inputs, b.query);
  }
  team.barrier();

  each_token([&](int64_t t) {
    keep_token(context, b, static_cast<int>(t), scratch);
    take_query(context, b, t);
  });
  team.barrier();

  project_heads(*layer.key_up, b.plain_inputs, layer.rank, layer.row(), b.absorbed);
  team.barrier();

  team.loop(static_cast<int64_t>(plan_->items.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) attend_item(context, b, plan_->items[static_cast<size_t>(i)], scratch);
  });
  team.barrier();

  each_token([&](int64_t t) {
    merge_token(context, b, static_cast<int>(t), scratch);
    for (int h = 0; h < layer.heads; ++h) {
      b.latent_inputs.set_row(h * tokens + t, b.mixed + (t * layer.heads + h) * layer.rank);
    }
  });
  team.barrier();

  project_heads(*layer.value_up, b.latent_inputs, layer.value_dims, layer.value_dims, b.values);
  team.barrier();

  each_token([&](int64_t t) { b.value_inputs.set_row(t, b.values + t * layer.heads * layer.value_dims); });
  team.barrier();

  project(*layer.output, b.value_inputs, b.result);
  team.barrier();

  each_token([&](int64_t t) {
    float* out = operands.out + t * width;
    if (out != operands.in + t * width) {
      std::memcpy(out, operands.in + t * width, sizeof(float) * static_cast<size_t>(width));
    }
    kernels.add(b.result + t * width, width, out);
  });
}

/// Turns the `rope_dims` numbers of one token.
void LatentOperation::rotate(const Context& context, int token, float* numbers) const {
  if (rope_ == nullptr) return;
  const size_t pairs = rope_->rope->inverse_frequencies.size();
  const auto turn = rope_->rope->neighbours ? context.kernels.rotate_pairs : context.kernels.rotate_halves;
  turn(rope_->cosines.data() + token * pairs, rope_->sines.data() + token * pairs, static_cast<int>(pairs), numbers);
}

/// Norm and rotation of what a token keeps, which then goes to its page.
void LatentOperation::keep_token(const Context& context, const Buffers& b, int token, float* scratch) const {
  const LatentLayer& layer = *layer_;
  float* kept = b.kept + int64_t{token} * layer.kept();
  context.kernels.rms_norm(kept, layer.latent_norm.data(), layer.rank, layer.latent_eps, kept);
  rotate(context, token, kept + layer.rank);
  const int row = layer.row();
  std::copy_n(kept, layer.kept(), scratch);
  std::fill(scratch + layer.kept(), scratch + row, 0.0f);
  const int slot = batch_->group(place_.group).slots[static_cast<size_t>(token)];
  uint8_t* const to = b.pages + slot * latent_bytes(layer.kept(), type_);
  if (type_ == NumberType::Half) {
    return context.kernels.to_half(scratch, row, reinterpret_cast<uint16_t*>(to));
  }
  const int blocks = code_blocks(layer.kept());
  std::fill(to + layer.kept(), to + blocks * kCodeBlock, uint8_t{128});
  auto* const scales = reinterpret_cast<uint16_t*>(to + blocks * kCodeBlock);
  context.kernels.to_codes(scratch, layer.kept(), kCodeBlock, to, scales);
}

/// A token's queries: the plain part goes to the product that takes it to latents, the other is turned.
void LatentOperation::take_query(const Context& context, const Buffers& b, int64_t token) const {
  const LatentLayer& layer = *layer_;
  float* query = b.query + token * layer.queries();
  const float warmth = layer.temperature.at(batch_->position(static_cast<int>(token)));
  context.kernels.scale(layer.scale * warmth, layer.queries(), query);
  for (int h = 0; h < layer.heads; ++h) {
    float* own = query + h * (layer.plain_dims + layer.rope_dims);
    b.plain_inputs.set_row(h * b.tokens + token, own);
    rotate(context, static_cast<int>(token), own + layer.plain_dims);
    float* turned = b.absorbed + (token * layer.heads + h) * layer.row() + layer.rank;
    std::copy_n(own + layer.plain_dims, layer.rope_dims, turned);
    std::fill(turned + layer.rope_dims, turned + layer.row() - layer.rank, 0.0f);
  }
}

void LatentOperation::attend_item(const Context& context, const Buffers& b, const AttentionItem& item,
                                  float* scratch) const {
  const LatentLayer& layer = *layer_;
  const int group = plan_->shape.heads_per_kv(), row = layer.row(), rank = layer.rank, rows = item.tokens * group;
  float* query = scratch;
  float* first_seen = query + int64_t{plan_->rows} * row;
  float* last_seen = first_seen + plan_->rows;
  float* scores = last_seen + plan_->rows;
  float* partials = scratch + lines(item_floats());
  for (int t = 0; t < item.tokens; ++t) {
    const int64_t token = item.first_token + t;
    std::copy_n(b.absorbed + (token * layer.heads + item.kv_head * group) * row, group * row,
                query + int64_t{t} * group * row);
    std::fill_n(first_seen + t * group, group, 0.0f);
    std::fill_n(last_seen + t * group, group, static_cast<float>(batch_->position(static_cast<int>(token))));
  }
  const int page_size = batch_->group(place_.group).page_size;
  const int64_t token_bytes = latent_bytes(layer.kept(), type_), page = page_size * token_bytes,
                group_bytes = kGroup * token_bytes;
  const PagedKeys keys{b.pages,
                       b.pages,
                       batch_->pages(place_.group, item.sequence),
                       page,
                       page,
                       group_bytes,
                       group_bytes,
                       type_,
                       type_,
                       page_size,
                       batch_->context_length(item.sequence),
                       item.first_seen,
                       row,
                       row};
  const QueryRows queries{query, last_seen, first_seen, nullptr, nullptr, 0.0f, rows};
  if (item.partial >= 0) {
    const Partial out = partial_at(b.partials, plan_->rows, rank, item.partial);
    return context.kernels.attend_latent(keys, queries, item.group_begin, item.group_end, rank, scores, out);
  }
  const Partial total = partial_at(partials, plan_->rows, rank, 0), next = partial_at(partials, plan_->rows, rank, 1);
  for (int from = item.group_begin; from < item.group_end;) {
    const int to = std::min((from / kPartitionGroups + 1) * kPartitionGroups, item.group_end);
    const bool first = from == item.group_begin;
    context.kernels.attend_latent(keys, queries, from, to, rank, scores, first ? total : next);
    if (!first) context.kernels.merge(next, rows, rank, total);
    from = to;
  }
  for (int r = 0; r < rows; ++r) {
    const int64_t token = item.first_token + r / group, head = item.kv_head * group + r % group;
    finish_row(total, r, b.mixed + (token * layer.heads + head) * rank);
  }
}

/// Puts the partitions of a token together that were computed apart.
void LatentOperation::merge_token(const Context& context, const Buffers& b, int token, float* scratch) const {
  const SplitToken split = plan_->split[static_cast<size_t>(token)];
  if (split.base < 0) return;
  const int group = plan_->shape.heads_per_kv(), rank = layer_->rank;
  const Partial total = partial_at(scratch, plan_->rows, rank);
  for (int tile = 0; tile < plan_->shape.kv_heads; ++tile) {
    merge_parts(context.kernels, b.partials, plan_->rows, split, tile, group, rank, total);
    for (int g = 0; g < group; ++g) {
      finish_row(total, g, b.mixed + (int64_t{token} * layer_->heads + tile * group + g) * rank);
    }
  }
}

/// Divides by the softmax's sum.
void LatentOperation::finish_row(const Partial& from, int row, float* out) const {
  const int rank = layer_->rank;
  const float* values = from.values + int64_t{row} * rank;
  const float factor = from.sum[row] > 0.0f ? 1.0f / from.sum[row] : 0.0f;
  for (int d = 0; d < rank; ++d) out[d] = values[d] * factor;
}

}  // namespace mlxr
