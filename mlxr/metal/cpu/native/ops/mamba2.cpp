#include "ops/mamba2.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace mlxr {
namespace {

/// Tokens whose time steps are made at a time.
constexpr int64_t kScannedTokens = 64;

/// ln(1 + e^x)
float softplus(float x) { return x > 20.0f ? x : std::log1p(std::exp(x)); }

}  // namespace

void Mamba2Layer::check() const {
  const auto is = [](const Vector& v, int64_t size) { return static_cast<int64_t>(v.size()) == size; };
  require(heads > 0 && head_dim > 0 && state_size > 0 && groups > 0 && heads % groups == 0,
          "the heads of a state space can't share its groups evenly");
  require(convolution.channels == inner() + 2 * int64_t{groups} * state_size,
          "a state space and its convolution differ in size");
  require(is(decay, heads) && is(skip, heads) && is(step_bias, heads) && (gate_norm.empty() || is(gate_norm, inner())),
          "a vector of a state space has the wrong length");
  half.check(inner() + convolution.channels + heads, inner());
}

Mamba2Operation::Mamba2Operation(std::shared_ptr<const Mamba2Layer> layer, const std::shared_ptr<const Batch>& batch,
                                 const std::shared_ptr<const PagePool>& pool, int index)
    : layer_(std::move(layer)), states_(batch, pool, index, layer_->state_numbers()), index_(index) {}

StepMaker Mamba2Operation::for_steps() const {
  return [layer = layer_, index = index_](const auto& batch, const auto& pool) {
    return std::make_shared<const Mamba2Operation>(layer, batch, pool, index);
  };
}

void Mamba2Operation::prepare(const Context& context, const Operands& operands) const {
  layer_->half.prepare(context, operands);
  context.workspace.reserve_floats(Buffer::Key, operands.rows * layer_->convolution.channels);
}

void Mamba2Operation::run(Team& team, const Context& context, const Operands& operands) const {
  if (operands.rows == 0) return;
  const int64_t channels = layer_->convolution.channels, heads = layer_->heads;
  layer_->half.project_in(team, context, operands);

  const int64_t blocks = (channels + kConvolvedChannels - 1) / kConvolvedChannels;
  team.loop(states_.count() * blocks, 1, [&](int64_t item, int64_t) {
    const int64_t begin = item % blocks * kConvolvedChannels;
    convolve(context, states_.of(static_cast<int>(item / blocks)), begin,
             std::min(channels, begin + kConvolvedChannels));
  });
  team.barrier();
  team.loop(states_.count() * heads, 1, [&](int64_t item, int64_t) {
    scan(context, states_.of(static_cast<int>(item / heads)), static_cast<int>(item % heads));
  });
  team.barrier();
  layer_->half.project_out(team, context, operands, [&](int64_t row) { gate(context, row); });
}

/// Some channels of a sequence's x, B and C, from Buffer::Query to Buffer::Key.
void Mamba2Operation::convolve(const Context& context, const SequenceState& one, int64_t begin, int64_t end) const {
  if (one.tokens == 0) return;
  const Convolution& convolution = layer_->convolution;
  const int64_t channels = convolution.channels, stride = layer_->half.input->rows;
  if (one.begins) {
    for (int i = 0; i + 1 < convolution.count; ++i) {
      std::fill(one.state + i * channels + begin, one.state + i * channels + end, 0.0f);
    }
  }
  const float* const rows = context.workspace.at(Buffer::Query) + one.first * stride + layer_->inner();
  float* const out = context.workspace.at(Buffer::Key) + one.first * channels;
  convolution.run(context.kernels, one.state, rows, stride, one.tokens, begin, end, true, out, channels);
}

/// One head of a sequence, from Buffer::Key to Buffer::Mixed.
void Mamba2Operation::scan(const Context& context, const SequenceState& one, int head) const {
  if (one.tokens == 0) return;
  const Mamba2Layer& layer = *layer_;
  const int64_t channels = layer.convolution.channels, stride = layer.half.input->rows, inner = layer.inner();
  const int64_t numbers = int64_t{layer.state_size} * layer.head_dim;
  float* const state = one.state + layer.convolution.state_numbers() + head * numbers;
  if (one.begins) std::fill(state, state + numbers, 0.0f);
  const auto at = static_cast<size_t>(head);
  const int64_t group = head / (layer.heads / layer.groups);
  float steps[kScannedTokens], decays[kScannedTokens];
  for (int64_t first = 0; first < one.tokens; first += kScannedTokens) {
    const int64_t tokens = std::min(kScannedTokens, one.tokens - first), row = one.first + first;
    const float* const raw = context.workspace.at(Buffer::Query) + row * stride + inner + channels + head;
    for (int64_t t = 0; t < tokens; ++t) {
      const float step = softplus(raw[t * stride] + layer.step_bias[at]);
      steps[t] = std::min(std::max(step, layer.least_step), layer.most_step);
      decays[t] = std::exp(steps[t] * layer.decay[at]);
    }
    const float* const convolved = context.workspace.at(Buffer::Key) + row * channels;
    const float* const b = convolved + inner + group * layer.state_size;
    const ScanArgs args{.x = convolved + int64_t{head} * layer.head_dim,
                        .x_stride = channels,
                        .b = b,
                        .c = b + int64_t{layer.groups} * layer.state_size,
                        .bc_stride = channels,
                        .step = steps,
                        .decay = decays,
                        .skip = layer.skip[at],
                        .head_dim = layer.head_dim,
                        .state_size = layer.state_size,
                        .state = state,
                        .y = context.workspace.at(Buffer::Mixed) + row * inner + int64_t{head} * layer.head_dim,
                        .y_stride = inner};
    context.kernels.scan(args, tokens);
  }
}

/// A row of Buffer::Mixed by its gate, then normed, each group by itself.
void Mamba2Operation::gate(const Context& context, int64_t row) const {
  const Mamba2Layer& layer = *layer_;
  const int64_t inner = layer.inner(), size = inner / layer.groups;
  float* const mixed = context.workspace.at(Buffer::Mixed) + row * inner;
  float* const z = context.workspace.at(Buffer::Query) + row * layer.half.input->rows;
  if (layer.gate_scale != 1.0f) context.kernels.scale(layer.gate_scale, inner, z);
  context.kernels.activate(Nonlinearity::Silu, z, inner, mixed);
  for (int g = 0; g < layer.groups && !layer.gate_norm.empty(); ++g) {
    float* const part = mixed + g * size;
    context.kernels.rms_norm(part, layer.gate_norm.data() + g * size, static_cast<int>(size), layer.gate_eps, part);
  }
  if (layer.output_scale != 1.0f) context.kernels.scale(layer.output_scale, inner, mixed);
}

}  // namespace mlxr
