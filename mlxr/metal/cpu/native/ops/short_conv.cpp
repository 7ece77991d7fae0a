#include "ops/short_conv.h"

#include <algorithm>

namespace mlxr {

ShortConvOperation::ShortConvOperation(std::shared_ptr<const ShortConvLayer> layer,
                                       const std::shared_ptr<const Batch>& batch,
                                       const std::shared_ptr<const PagePool>& pool, int index)
    : layer_(std::move(layer)), states_(batch, pool, index, layer_->convolution.state_numbers()), index_(index) {}

StepMaker ShortConvOperation::for_steps() const {
  return [layer = layer_, index = index_](const auto& batch, const auto& pool) {
    return std::make_shared<const ShortConvOperation>(layer, batch, pool, index);
  };
}

void ShortConvOperation::prepare(const Context& context, const Operands& operands) const {
  layer_->half.prepare(context, operands);
}

void ShortConvOperation::run(Team& team, const Context& context, const Operands& operands) const {
  if (operands.rows == 0) return;
  const Convolution& convolution = layer_->convolution;
  const int64_t channels = convolution.channels, stride = 3 * channels;
  layer_->half.project_in(team, context, operands);

  float* const inner = context.workspace.at(Buffer::Query);
  float* const mixed = context.workspace.at(Buffer::Mixed);
  const int64_t blocks = (channels + kConvolvedChannels - 1) / kConvolvedChannels;
  team.loop(states_.count() * blocks, 1, [&](int64_t item, int64_t) {
    const SequenceState one = states_.of(static_cast<int>(item / blocks));
    if (one.tokens == 0) return;
    const int64_t begin = item % blocks * kConvolvedChannels, end = std::min(channels, begin + kConvolvedChannels);
    if (one.begins) {
      for (int i = 0; i + 1 < convolution.count; ++i) {
        std::fill(one.state + i * channels + begin, one.state + i * channels + end, 0.0f);
      }
    }
    float* const rows = inner + one.first * stride;
    float* const out = mixed + one.first * channels;
    for (int64_t t = 0; t < one.tokens; ++t) {
      context.kernels.multiply(rows + t * stride + begin, end - begin, rows + t * stride + 2 * channels + begin);
    }
    convolution.run(context.kernels, one.state, rows + 2 * channels, stride, one.tokens, begin, end, false, out,
                    channels);
    for (int64_t t = 0; t < one.tokens; ++t) {
      context.kernels.multiply(rows + t * stride + channels + begin, end - begin, out + t * channels + begin);
    }
  });
  team.barrier();
  layer_->half.project_out(team, context, operands, [](int64_t) {});
}

}  // namespace mlxr
