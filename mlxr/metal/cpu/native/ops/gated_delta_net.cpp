#include "ops/gated_delta_net.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"

namespace mlxr {
namespace {

/// What is added to the square of a query's or key's length before it is divided by it.
constexpr float kLengthEps = 1e-6f;

float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

}  // namespace

void GatedDeltaNetLayer::check() const {
  const int64_t width = query_key_value->cols;
  const auto has = [](const Vector& v, int64_t size) { return static_cast<int64_t>(v.size()) == size; };
  const auto fits = [](const Matrix& m, int64_t rows, int64_t cols) { return m.rows == rows && m.cols == cols; };
  require(key_heads > 0 && value_heads % key_heads == 0, "value heads must be a multiple of key heads");
  require(fits(*query_key_value, 2 * keys() + values(), width) && fits(*gate, values(), width) &&
              fits(*alpha, value_heads, width) && fits(*beta, value_heads, width) && fits(*output, width, values()),
          "a recurrent layer's projections do not fit together");
  require(convolution.channels == 2 * keys() + values(), "the convolution does not fit the projections");
  require(has(decay, value_heads) && has(alpha_bias, value_heads) && has(head_norm, value_dim) && has(norm, width) &&
              has(query_scale, key_dim) && has(key_scale, key_dim),
          "a vector of a recurrent layer has the wrong length");
}

GatedDeltaNetOperation::GatedDeltaNetOperation(std::shared_ptr<const GatedDeltaNetLayer> layer,
                                               const std::shared_ptr<const Batch>& batch,
                                               const std::shared_ptr<const PagePool>& pool, int index)
    : layer_(std::move(layer)), states_(batch, pool, index, layer_->state_numbers()), index_(index) {
  for (int s = 0; s < states_.count(); ++s) {
    if (states_.of(s).tokens > 0) longest_first_.push_back(s);
  }
  // So that no thread is left alone with a long one at the end.
  std::stable_sort(longest_first_.begin(), longest_first_.end(),
                   [&](int a, int b) { return states_.of(a).tokens > states_.of(b).tokens; });
}

StepMaker GatedDeltaNetOperation::for_steps() const {
  return [layer = layer_, index = index_](const auto& batch, const auto& pool) {
    return std::make_shared<const GatedDeltaNetOperation>(layer, batch, pool, index);
  };
}

void GatedDeltaNetOperation::prepare(const Context& context, const Operands& operands) const {
  const GatedDeltaNetLayer& layer = *layer_;
  const int64_t rows = operands.rows, width = operands.width;
  Workspace& space = context.workspace;
  space.reserve_activations(rows, width, layer.input_needs(), context.isa);
  space.reserve_activations(rows, layer.values(), needs(*layer.output), context.isa);
  space.reserve_floats(Buffer::Query, rows * layer.convolution.channels);
  space.reserve_floats(Buffer::Value, rows * layer.convolution.channels);
  space.reserve_floats(Buffer::Gate, rows * layer.values());
  space.reserve_floats(Buffer::Up, rows * layer.value_heads);
  space.reserve_floats(Buffer::Key, rows * layer.value_heads);
  space.reserve_floats(Buffer::Mixed, rows * layer.values());
  space.reserve_floats(Buffer::Result, rows * width);
  space.reserve_floats(Buffer::PerThread, context.threads * std::max(width, int64_t{layer.key_dim} * kDeltaColumns));
}

void GatedDeltaNetOperation::run(Team& team, const Context& context, const Operands& operands) const {
  if (operands.rows == 0) return;
  const GatedDeltaNetLayer& layer = *layer_;
  const auto sequences = static_cast<int64_t>(longest_first_.size());
  project_in(team, context, operands);
  team.barrier();

  const int heads = 2 * layer.key_heads + layer.value_heads;
  team.loop(sequences * heads, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      convolve(context, states_.of(longest_first_[static_cast<size_t>(i / heads)]), static_cast<int>(i % heads));
    }
  });
  team.loop(operands.rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) weigh(context, t);
  });
  team.barrier();

  float* const scratch = context.workspace.at(Buffer::PerThread) +
                         team.index() * std::max(operands.width, int64_t{layer.key_dim} * kDeltaColumns);
  const int items = layer.value_heads * blocks();
  team.loop(sequences * items, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      mix(context, states_.of(longest_first_[static_cast<size_t>(i / items)]), static_cast<int>(i % items), scratch);
    }
  });
  team.barrier();
  project_out(team, context, operands);
}

void GatedDeltaNetOperation::project_in(Team& team, const Context& context, const Operands& operands) const {
  const GatedDeltaNetLayer& layer = *layer_;
  Workspace& space = context.workspace;
  const int64_t rows = operands.rows, width = operands.width;
  Activations& inputs = space.activations(rows, width, layer.input_needs());
  float* const scratch =
      space.at(Buffer::PerThread) + team.index() * std::max(width, int64_t{layer.key_dim} * kDeltaColumns);
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      context.kernels.rms_norm(operands.in + t * width, layer.norm.data(), static_cast<int>(width), layer.norm_eps,
                               scratch);
      inputs.set_row(t, scratch);
    }
  });
  team.barrier();
  const auto project = [&](const Matrix& m, Buffer to) {
    team.loop(m.panels(), m.grain(rows, team.size()),
              [&](int64_t begin, int64_t end) { matmul_panels(m, inputs, space.at(to), m.rows, begin, end); });
  };
  project(*layer.query_key_value, Buffer::Query);
  project(*layer.gate, Buffer::Gate);
  project(*layer.alpha, Buffer::Up);
  project(*layer.beta, Buffer::Key);
}

/// One head of a sequence's queries, then keys, then values, from Buffer::Query to Buffer::Value. Queries and keys are
/// divided by their length, by a root mean square norm.
void GatedDeltaNetOperation::convolve(const Context& context, const SequenceState& sequence, int head) const {
  const GatedDeltaNetLayer& layer = *layer_;
  const int64_t channels = layer.convolution.channels;
  const bool value = head >= 2 * layer.key_heads;
  const int64_t begin =
      value ? 2 * layer.keys() + int64_t{head - 2 * layer.key_heads} * layer.value_dim : int64_t{head} * layer.key_dim;
  const int dim = value ? layer.value_dim : layer.key_dim;
  for (int i = 0; sequence.begins && i + 1 < layer.convolution.count; ++i) {
    std::fill_n(sequence.state + i * channels + begin, dim, 0.0f);
  }
  float* const x = context.workspace.at(Buffer::Query) + sequence.first * channels;
  float* const y = context.workspace.at(Buffer::Value) + sequence.first * channels;
  layer.convolution.run(context.kernels, sequence.state, x, channels, sequence.tokens, begin, begin + dim, true, y,
                        channels);
  if (value) return;
  const Vector& scale = head < layer.key_heads ? layer.query_scale : layer.key_scale;
  for (int64_t t = 0; t < sequence.tokens; ++t) {
    float* const row = y + t * channels + begin;
    context.kernels.rms_norm(row, scale.data(), dim, kLengthEps / static_cast<float>(dim), row);
  }
}

/// A row's decays and betas, in place.
void GatedDeltaNetOperation::weigh(const Context& context, int64_t row) const {
  const GatedDeltaNetLayer& layer = *layer_;
  float* const alpha = context.workspace.at(Buffer::Up) + row * layer.value_heads;
  float* const beta = context.workspace.at(Buffer::Key) + row * layer.value_heads;
  for (int h = 0; h < layer.value_heads; ++h) {
    const auto at = static_cast<size_t>(h);
    alpha[h] = std::exp(layer.decay[at] * softplus(alpha[h] + layer.alpha_bias[at]));
    beta[h] = 1.0f / (1.0f + std::exp(-beta[h]));
  }
}

/// Some columns of one value head's state, through all of a sequence's tokens.
void GatedDeltaNetOperation::mix(const Context& context, const SequenceState& sequence, int item,
                                 float* scratch) const {
  const GatedDeltaNetLayer& layer = *layer_;
  Workspace& space = context.workspace;
  const int head = item / blocks(), column = item % blocks() * kDeltaColumns;
  const int64_t channels = layer.convolution.channels, first = sequence.first;
  const float* const rows = space.at(Buffer::Value) + first * channels;
  const float* const key = rows + layer.keys() + int64_t{layer.key_head(head)} * layer.key_dim;
  const int64_t value = int64_t{head} * layer.value_dim + column;
  context.kernels.delta_rule({.query = key - layer.keys(),
                              .key = key,
                              .key_stride = channels,
                              .value = rows + 2 * layer.keys() + value,
                              .value_stride = channels,
                              .decay = space.at(Buffer::Up) + first * layer.value_heads + head,
                              .beta = space.at(Buffer::Key) + first * layer.value_heads + head,
                              .factor_stride = layer.value_heads,
                              .key_dim = layer.key_dim,
                              .columns = std::min(kDeltaColumns, layer.value_dim - column),
                              .begins = sequence.begins,
                              .state = sequence.state + layer.convolution.state_numbers() + value * layer.key_dim,
                              .scratch = scratch,
                              .out = space.at(Buffer::Mixed) + first * layer.values() + value,
                              .out_stride = layer.values()},
                             sequence.tokens);
}

void GatedDeltaNetOperation::project_out(Team& team, const Context& context, const Operands& operands) const {
  const GatedDeltaNetLayer& layer = *layer_;
  const KernelTable& kernels = context.kernels;
  Workspace& space = context.workspace;
  const int64_t rows = operands.rows, width = operands.width, values = layer.values();
  Activations& mixed = space.activations(rows, values, needs(*layer.output));
  float* const result = space.at(Buffer::Result);
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* const row = space.at(Buffer::Mixed) + t * values;
      for (int h = 0; h < layer.value_heads; ++h) {
        float* const head = row + int64_t{h} * layer.value_dim;
        kernels.rms_norm(head, layer.head_norm.data(), layer.value_dim, layer.norm_eps, head);
      }
      kernels.activate(Nonlinearity::Silu, space.at(Buffer::Gate) + t * values, values, row);
      mixed.set_row(t, row);
    }
  });
  team.barrier();
  team.loop(layer.output->panels(), layer.output->grain(rows, team.size()),
            [&](int64_t begin, int64_t end) { matmul_panels(*layer.output, mixed, result, width, begin, end); });
  team.barrier();
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* const in = operands.in + t * width;
      float* const out = operands.out + t * width;
      if (out != in) std::memcpy(out, in, sizeof(float) * static_cast<size_t>(width));
      kernels.add(result + t * width, width, out);
    }
  });
}

}  // namespace mlxr
