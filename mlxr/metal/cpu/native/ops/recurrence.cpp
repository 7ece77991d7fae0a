#include "ops/recurrence.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mlxr {

void RecurrentHalf::check(int64_t inner, int64_t mixed) const {
  const int64_t width = input->cols;
  const auto fits = [](const Vector& v, int64_t size) { return v.empty() || static_cast<int64_t>(v.size()) == size; };
  require(input->rows == inner && output->cols == mixed && output->rows == width,
          "a recurrent layer's projections do not fit together");
  require(!input->int16 && !output->int16, "a recurrent layer's projections are an encoder's");
  require(fits(norm, width) && fits(input_bias, inner) && fits(output_bias, width) && fits(post_norm, width),
          "a norm or bias of a recurrent layer has the wrong length");
}

void RecurrentHalf::prepare(const Context& context, const Operands& operands) const {
  Workspace& space = context.workspace;
  space.reserve_activations(operands.rows, operands.width, needs(*input), context.isa);
  space.reserve_activations(operands.rows, output->cols, needs(*output), context.isa);
  space.reserve_floats(Buffer::Query, operands.rows * input->rows);
  space.reserve_floats(Buffer::Mixed, operands.rows * output->cols);
  space.reserve_floats(Buffer::Result, operands.rows * operands.width);
  space.reserve_floats(Buffer::PerThread, context.threads * operands.width);
}

void RecurrentHalf::project_in(Team& team, const Context& context, const Operands& operands) const {
  Workspace& space = context.workspace;
  const int64_t rows = operands.rows, width = operands.width;
  Activations& inputs = space.activations(rows, width, needs(*input));
  float* const scratch = space.at(Buffer::PerThread) + team.index() * width;
  float* const inner = space.at(Buffer::Query);
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = (kept ? space.at(Buffer::Kept) : operands.in) + t * width;
      if (!norm.empty()) {
        context.kernels.rms_norm(row, norm.data(), static_cast<int>(width), norm_eps, scratch);
        row = scratch;
      }
      inputs.set_row(t, row);
    }
  });
  team.barrier();
  team.loop(input->panels(), input->grain(rows, team.size()), [&](int64_t begin, int64_t end) {
    matmul_panels(*input, inputs, inner, input->rows, begin, end, data_or_null(input_bias));
  });
  team.barrier();
}

Activations& RecurrentHalf::mixed_rows(const Context& context, int64_t rows) const {
  return context.workspace.activations(rows, output->cols, needs(*output));
}

void RecurrentHalf::multiply_out(Team& team, const Context& context, const Operands& operands,
                                 const Activations& mixed) const {
  const int64_t rows = operands.rows, width = operands.width;
  float* const result = context.workspace.at(Buffer::Result);
  team.loop(output->panels(), output->grain(rows, team.size()), [&](int64_t begin, int64_t end) {
    matmul_panels(*output, mixed, result, width, begin, end, data_or_null(output_bias));
  });
  team.barrier();
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* const in = operands.in + t * width;
      float* const out = operands.out + t * width;
      if (out != in) std::memcpy(out, in, sizeof(float) * static_cast<size_t>(width));
      if (!post_norm.empty()) {
        float* const row = result + t * width;
        context.kernels.rms_norm(row, post_norm.data(), static_cast<int>(width), norm_eps, row);
      }
      context.kernels.add(result + t * width, width, out);
    }
  });
}

Convolution::Convolution(const Vector& weights, Vector given, int taps_of_each)
    : taps(weights.size()), bias(std::move(given)), count(taps_of_each), channels(0) {
  require(count >= 2 && weights.size() % static_cast<size_t>(count) == 0, "a convolution has at least two taps");
  channels = static_cast<int64_t>(weights.size()) / count;
  require(bias.empty() || static_cast<int64_t>(bias.size()) == channels, "a convolution's bias has the wrong length");
  for (int64_t c = 0; c < channels; ++c) {
    for (int i = 0; i < count; ++i) {
      taps[static_cast<size_t>(i * channels + c)] = weights[static_cast<size_t>(c * count + i)];
    }
  }
}

void Convolution::run(const KernelTable& kernels, float* history, const float* x, int64_t x_stride, int64_t tokens,
                      int64_t begin, int64_t end, bool silu, float* y, int64_t y_stride) const {
  const ConvolutionArgs args{.x = x + begin,
                             .x_stride = x_stride,
                             .history = history + begin,
                             .history_stride = channels,
                             .weight = taps.data() + begin,
                             .weight_stride = channels,
                             .bias = bias.empty() ? nullptr : bias.data() + begin,
                             .taps = count,
                             .silu = silu,
                             .y = y + begin,
                             .y_stride = y_stride};
  kernels.convolve(args, tokens, end - begin);
  const auto bytes = static_cast<size_t>(end - begin) * sizeof(float);
  const int64_t rows = count - 1, kept = std::max<int64_t>(0, rows - tokens);
  for (int64_t i = 0; i < kept; ++i) {
    std::memcpy(history + i * channels + begin, history + (i + tokens) * channels + begin, bytes);
  }
  for (int64_t i = kept; i < rows; ++i) {
    std::memcpy(history + i * channels + begin, x + (tokens - rows + i) * x_stride + begin, bytes);
  }
}

}  // namespace mlxr
