#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "ops/attention_buffers.h"
#include "ops/page_rows.h"
#include "quant/int16_matrix.h"

namespace mlxr {

float Temperature::at(int position) const {
  if (length == 0) return 1.0f;
  const double steps = std::floor((static_cast<double>(position) + offset) / length);
  return static_cast<float>(1.0 + static_cast<double>(scale) * std::log1p(steps));
}

void AttentionLayer::check() const {
  const int64_t width = query->cols;
  const int64_t queries = int64_t{shape.heads} * shape.head_dim, keys = int64_t{shape.kv_heads} * shape.head_dim;
  const auto fits = [](const Vector& v, int64_t size) { return v.empty() || static_cast<int64_t>(v.size()) == size; };
  require(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0, "heads must be a multiple of kv_heads");
  const auto projects = [&](const MatrixPtr& m) { return m == nullptr || (m->cols == width && m->rows == keys); };
  require(query->rows == queries && projects(key) && projects(value),
          "a projection does not match its heads or the width");
  require(key != nullptr || value == nullptr, "values need keys");
  require(output->cols == queries && output->rows == width, "the output projection does not fit");
  require(gate == nullptr || (gate->cols == width && gate->rows == gates()), "the gate does not fit");
  require(norm.fits(width) && fits(post_norm, width) && fits(output_bias, width),
          "a norm or bias has the wrong length");
  require(fits(query_bias, queries) && fits(key_bias, keys) && fits(value_bias, keys), "a bias has the wrong length");
  require(fits(query_norm, shape.head_dim) || fits(query_norm, queries), "the query norm has the wrong length");
  require(fits(key_norm, shape.head_dim) || fits(key_norm, keys), "the key norm has the wrong length");
  require(fits(value_norm, shape.head_dim), "the value norm has the wrong length");
  require(temperature.length >= 0 && temperature.offset >= 0, "a temperature's length and offset are not negative");
  require(fits(sinks, shape.heads), "there must be one sink a head");
  require(fits(alibi, shape.heads) && (alibi.empty() || !shape.causal), "ALiBi needs a slope a head, and no order");
  require(rope == nullptr || static_cast<int>(rope->inverse_frequencies.size()) * 2 <= shape.head_dim,
          "the rope is wider than a head");
}

AttentionOperation::AttentionOperation(std::shared_ptr<const AttentionLayer> layer, std::shared_ptr<const Batch> batch,
                                       std::shared_ptr<const PagePool> pool, int index)
    : layer_(std::move(layer)), batch_(std::move(batch)), pool_(std::move(pool)), index_(index) {
  if (layer_->rope != nullptr) rope_ = batch_->rope(layer_->rope);
  if (pool_ == nullptr) {
    require(layer_->key != nullptr, "a layer that reads another's keys and values needs a pool that has them");
    batch_ = batch_->within_step();
  } else {
    place_ = pool_->place(layer_->kv_layer < 0 ? index : layer_->kv_layer);
    require(place_.group >= 0, "the pool has no such layer");
    require(place_.group < batch_->groups(), "the batch has no tables for the layer's cache group");
    const GroupPages& pages = pool_->group(place_.group);
    types_ = pages.types();
    require(!batch_->group(place_.group).states, "the layer's cache group keeps states, not keys and values");
    require(pages.parts() == page_shape().parts(), "layer and pool differ in shape or page size");
    require(batch_->group(place_.group).pages_used <= pages.pages(), "the batch uses a page beyond the pool");
  }
  plan_ = batch_->plan(layer_->shape, place_.group);
}

StepMaker AttentionOperation::for_steps() const {
  return [layer = layer_, index = index_, paged = pool_ != nullptr](const auto& batch, const auto& pool) {
    return std::make_shared<const AttentionOperation>(layer, batch, paged ? pool : nullptr, index);
  };
}

int AttentionOperation::place(AdapterRole role) const { return place_number(index_, role); }

void AttentionOperation::prepare(const Context& context, const Operands& operands) const {
  const AttentionShape& shape = layer_->shape;
  const PageShape pages = page_shape();
  const int64_t queries = int64_t{shape.heads} * shape.head_dim, keys = int64_t{shape.kv_heads} * shape.head_dim;
  Workspace& space = context.workspace;
  space.reserve_activations(operands.rows, operands.width, layer_->input_needs(), context.isa);
  space.reserve_activations(operands.rows, queries, needs(*layer_->output), context.isa);
  space.reserve_floats(Buffer::Query, operands.rows * queries);
  space.reserve_floats(Buffer::Key, operands.rows * keys);
  space.reserve_floats(Buffer::Value, operands.rows * keys);
  space.reserve_floats(Buffer::Mixed, operands.rows * queries);
  if (layer_->gate != nullptr) space.reserve_floats(Buffer::Gate, operands.rows * layer_->gates());
  space.reserve_floats(Buffer::Result, operands.rows * operands.width);
  space.reserve_floats(Buffer::Partials, plan_->partials * partial_floats(plan_->rows, pages.value_stride()));
  const int64_t per_item = item_floats(plan_->rows, shape.head_dim, pages.value_stride());
  space.reserve_floats(Buffer::PerThread, context.threads * lines(std::max(per_item, operands.width)));
  if (context.adapters != nullptr) {
    space.reserve_floats(Buffer::Inputs, operands.rows * operands.width);
    context.prepare_adapters({place(AdapterRole::Query), place(AdapterRole::Key), place(AdapterRole::Value)},
                             operands.rows);
    context.prepare_adapters({place(AdapterRole::Output), -1, -1}, operands.rows);
  }
  if (pool_ == nullptr) {
    space.reserve(Buffer::StepPages,
                  static_cast<size_t>(batch_->group(0).pages_used * (pages.page_keys() + pages.page_values())));
  }
}

AttentionOperation::Buffers AttentionOperation::buffers(const Context& context, const Operands& operands) const {
  Workspace& space = context.workspace;
  const int64_t queries = int64_t{layer_->shape.heads} * layer_->shape.head_dim;
  uint8_t* step = space.at<uint8_t>(Buffer::StepPages);
  return {
      space.activations(operands.rows, operands.width, layer_->input_needs()),
      space.activations(operands.rows, queries, needs(*layer_->output)),
      space.at(Buffer::Query),
      space.at(Buffer::Key),
      space.at(Buffer::Value),
      space.at(Buffer::Mixed),
      space.at(Buffer::Result),
      space.at(Buffer::Partials),
      pool_ != nullptr ? pool_->group(place_.group).keys_and_values(place_.layer)
                       : LayerPages{step, step + batch_->group(0).pages_used * page_shape().page_keys()},
      queries,
      int64_t{layer_->shape.kv_heads} * layer_->shape.head_dim,
  };
}

void AttentionOperation::gate_token(const Context& context, const Buffers& b, int64_t token) const {
  const AttentionLayer& layer = *layer_;
  const float* const gate = context.workspace.at(Buffer::Gate) + token * layer.gates();
  float* const mixed = b.mixed + token * b.query_width;
  if (!layer.head_gates && !layer.softplus) {
    context.kernels.activate(Nonlinearity::Sigmoid, gate, b.query_width, mixed);
    return;
  }
  const int64_t each = b.query_width / layer.gates();
  for (int64_t i = 0; i < layer.gates(); ++i) {
    // Beyond 30, the logarithm of 1 + exp(x) is x to a float's precision.
    const float x = gate[i];
    const float by = !layer.softplus ? 1.0f / (1.0f + std::exp(-x)) : x > 30.0f ? x : std::log1p(std::exp(x));
    for (int64_t j = 0; j < each; ++j) mixed[i * each + j] *= by;
  }
}

void AttentionOperation::run(Team& team, const Context& context, const Operands& operands) const {
  const AttentionLayer& layer = *layer_;
  const KernelTable& kernels = context.kernels;
  const int64_t tokens = operands.rows, width = operands.width;
  if (tokens == 0) return;
  const Buffers b = buffers(context, operands);
  const int64_t per_item = item_floats(plan_->rows, layer.shape.head_dim, page_shape().value_stride());
  float* scratch = context.workspace.at(Buffer::PerThread) + team.index() * lines(std::max(per_item, width));
  const LowRankProducts* const adds = context.added(place(AdapterRole::Query));
  const LowRankProducts* const adds_output = context.added(place(AdapterRole::Output));
  float* const normed = context.workspace.at(Buffer::Inputs);
  float* const low_rank = context.workspace.at(Buffer::LowRank);

  const auto load_rows = [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = operands.in + t * width;
      if (!layer.norm.empty()) {
        float* const to = adds != nullptr ? normed + t * width : scratch;
        layer.norm.apply(kernels, row, to);
        row = to;
      }
      b.inputs.set_row(t, row);
    }
  };
  const auto store_keys = [&](int64_t begin, int64_t end) {
    if (adds != nullptr) {
      const float* const from = low_rank + begin * adds->stride();
      adds->up(kernels, 0, begin, end, from, b.query + begin * b.query_width, b.query_width);
      if (layer.key != nullptr) adds->up(kernels, 1, begin, end, from, b.key + begin * b.key_width, b.key_width);
      if (layer.value != nullptr) adds->up(kernels, 2, begin, end, from, b.value + begin * b.key_width, b.key_width);
    }
    for (int64_t t = begin; t < end; ++t) {
      turn_queries(context, b, static_cast<int>(t));
      if (layer.key != nullptr) store_token(context, b, static_cast<int>(t));
    }
  };
  const auto merge = [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      merge_token(context, b, static_cast<int>(t), scratch);
      if (layer.gate != nullptr) gate_token(context, b, t);
      b.mixed_inputs.set_row(t, b.mixed + t * b.query_width);
    }
  };
  const auto store_rows = [&](int64_t begin, int64_t end) {
    if (adds_output != nullptr) {
      const float* const from = low_rank + begin * adds_output->stride();
      adds_output->up(kernels, 0, begin, end, from, b.result + begin * width, width);
    }
    for (int64_t t = begin; t < end; ++t) {
      float* row = b.result + t * width;
      if (!layer.post_norm.empty()) {
        kernels.rms_norm(row, layer.post_norm.data(), static_cast<int>(width), layer.norm_eps, row);
      }
      float* out = operands.out + t * width;
      if (out != operands.in + t * width) {
        std::memcpy(out, operands.in + t * width, sizeof(float) * static_cast<size_t>(width));
      }
      kernels.add(row, width, out);
    }
  };
  const auto project = [&](const Matrix& m, const Activations& x, const Vector& bias, float* y) {
    team.loop(m.panels(), m.grain(tokens, team.size()),
              [&](int64_t begin, int64_t end) { matmul_panels(m, x, y, m.rows, begin, end, data_or_null(bias)); });
  };
  const auto project_rows = [&](const Matrix& m, const Activations& x, const Vector& bias, float* y, int64_t begin,
                                int64_t end) {
    multiply_int16(m, x, begin, end - begin, y + begin * m.rows, data_or_null(bias));
  };

  const bool whole_rows = layer.all_int16() && context.adapters == nullptr;
  const int64_t per_thread = whole_rows ? rows_per_thread(*layer.query, tokens, context.threads) : 0;
  if (per_thread > 0) {
    team.loop(tokens, per_thread, [&](int64_t begin, int64_t end) {
      load_rows(begin, end);
      project_rows(*layer.query, b.inputs, layer.query_bias, b.query, begin, end);
      project_rows(*layer.key, b.inputs, layer.key_bias, b.key, begin, end);
      project_rows(*layer.value, b.inputs, layer.value_bias, b.value, begin, end);
      store_keys(begin, end);
    });
  } else {
    team.loop(tokens, 4, load_rows);
    team.barrier();
    if (adds != nullptr) {
      adds->down(team, kernels, 0, tokens, layer.norm.empty() ? operands.in : normed, width, low_rank);
    }
    project(*layer.query, b.inputs, layer.query_bias, b.query);
    if (layer.key != nullptr) project(*layer.key, b.inputs, layer.key_bias, b.key);
    if (layer.value != nullptr) project(*layer.value, b.inputs, layer.value_bias, b.value);
    if (layer.gate != nullptr) project(*layer.gate, b.inputs, {}, context.workspace.at(Buffer::Gate));
    team.barrier();
    team.loop(tokens, 4, store_keys);
  }
  team.barrier();

  team.loop(static_cast<int64_t>(plan_->items.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) attend_item(context, b, plan_->items[static_cast<size_t>(i)], scratch);
  });
  team.barrier();

  if (per_thread > 0) {
    team.loop(tokens, per_thread, [&](int64_t begin, int64_t end) {
      merge(begin, end);
      project_rows(*layer.output, b.mixed_inputs, layer.output_bias, b.result, begin, end);
      store_rows(begin, end);
    });
  } else {
    team.loop(tokens, 4, merge);
    team.barrier();
    if (adds_output != nullptr) adds_output->down(team, kernels, 0, tokens, b.mixed, b.query_width, low_rank);
    project(*layer.output, b.mixed_inputs, layer.output_bias, b.result);
    team.barrier();
    team.loop(tokens, 4, store_rows);
  }
}

/// Norm and rotation of one token's heads, which lie side by side. The norm is a head's, or that of all together.
void AttentionOperation::shape_heads(const Context& context, int token, const Vector& norm, int heads,
                                     float* all) const {
  const KernelTable& kernels = context.kernels;
  const int dim = layer_->shape.head_dim, size = static_cast<int>(norm.size());
  const auto normed = [&](float* x) { kernels.rms_norm(x, norm.data(), size, layer_->norm_eps, x); };
  const auto turn = [&](float* head) {
    if (rope_ == nullptr) return;
    const size_t pairs = rope_->rope->inverse_frequencies.size();
    const auto rotate = rope_->rope->neighbours ? kernels.rotate_pairs : kernels.rotate_halves;
    rotate(rope_->cosines.data() + token * pairs, rope_->sines.data() + token * pairs, static_cast<int>(pairs), head);
  };
  const bool each = size == dim, together = size > 0 && !each, rope_first = layer_->rope_first;
  if (together && !rope_first) normed(all);
  for (int h = 0; h < heads; ++h) {
    float* head = all + h * dim;
    if (rope_first) turn(head);
    if (each) normed(head);
    if (!rope_first) turn(head);
  }
  if (together && rope_first) normed(all);
}

void AttentionOperation::turn_queries(const Context& context, const Buffers& b, int token) const {
  const AttentionLayer& layer = *layer_;
  float* query = b.query + token * b.query_width;
  shape_heads(context, token, layer.query_norm, layer.shape.heads, query);
  context.kernels.scale(layer.scale * layer.temperature.at(batch_->position(token)), b.query_width, query);
}

/// A token's key and value, normed and turned, go to their page.
void AttentionOperation::store_token(const Context& context, const Buffers& b, int token) const {
  const AttentionLayer& layer = *layer_;
  const KernelTable& kernels = context.kernels;
  const int dim = layer.shape.head_dim;
  float* key = b.key + token * b.key_width;
  float* value = b.value + token * b.key_width;
  if (layer.value == nullptr) std::copy_n(key, b.key_width, value);
  shape_heads(context, token, layer.key_norm, layer.shape.kv_heads, key);

  const PageShape shape = page_shape();
  const int slot = batch_->group(place_.group).slots[static_cast<size_t>(token)], page = slot / shape.page_size,
            offset = slot % shape.page_size;
  for (int h = 0; h < layer.shape.kv_heads; ++h) {
    float* const own = value + h * dim;
    if (!layer.value_norm.empty()) kernels.rms_norm(own, layer.value_norm.data(), dim, layer.norm_eps, own);
    store_key(kernels, shape, key + h * dim, offset, b.pages.keys + page * shape.page_keys() + h * shape.head_keys());
    store_value(kernels, shape, own, offset, b.pages.values + page * shape.page_values() + h * shape.head_values());
  }
}

}  // namespace mlxr
