#include "ops/mlp.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "quant/int16_matrix.h"

namespace mlxr {
namespace {

/// Rows that go through at once: bounds the memory of the widest rows of a model.
constexpr int64_t kMostRows = 256;

}  // namespace

void MlpLayer::check() const {
  const int64_t width = up->cols, hidden = up->rows;
  const auto fits = [](const Vector& v, int64_t size) { return v.empty() || static_cast<int64_t>(v.size()) == size; };
  require(kind != Nonlinearity::SwigluOai || gate != nullptr, "this activation needs a gate");
  require(down->cols == hidden && down->rows == width, "up and down do not fit together");
  require(gate == nullptr || (gate->cols == width && gate->rows == hidden), "up and gate differ in shape");
  require(norm.fits(width) && fits(post_norm, width) && fits(down_bias, width) && fits(up_bias, hidden) &&
              fits(gate_bias, hidden),
          "a norm or bias has the wrong length");
}

int64_t MlpOperation::rows_per_thread(const Context& context, const Operands& operands) const {
  if (context.adapters != nullptr) return 0;
  const bool int16 = layer_->up->int16 && layer_->down->int16 && layer_->gate == nullptr;
  return int16 ? mlxr::rows_per_thread(*layer_->up, operands.rows, context.threads) : 0;
}

void MlpOperation::prepare(const Context& context, const Operands& operands) const {
  const MlpLayer& layer = *layer_;
  Workspace& space = context.workspace;
  const unsigned forms = needs(*layer.up) | (layer.gate != nullptr ? needs(*layer.gate) : 0);
  const int64_t per_thread = rows_per_thread(context, operands);
  const int64_t most = per_thread > 0 ? per_thread * context.threads : std::min(operands.rows, kMostRows);
  for (const int64_t rows : {most, per_thread > 0 ? 0 : operands.rows % kMostRows}) {
    space.reserve_activations(rows, operands.width, forms, context.isa);
    space.reserve_activations(rows, layer.up->rows, needs(*layer.down), context.isa);
  }
  space.reserve_floats(Buffer::Up, most * layer.up->rows);
  space.reserve_floats(Buffer::Gate, most * layer.up->rows);
  space.reserve_floats(Buffer::Result, most * operands.width);
  space.reserve_floats(Buffer::PerThread, context.threads * operands.width);
  if (context.adapters == nullptr) return;
  space.reserve_floats(Buffer::Inputs, most * operands.width);
  const int gate = layer.gate != nullptr ? layer.place(AdapterRole::Gate) : -1;
  context.prepare_adapters({layer.place(AdapterRole::Up), gate, -1}, most);
  context.prepare_adapters({layer.place(AdapterRole::Down), -1, -1}, most);
}

void MlpOperation::run(Team& team, const Context& context, const Operands& operands) const {
  if (const int64_t per_thread = rows_per_thread(context, operands); per_thread > 0) {
    team.loop(operands.rows, per_thread,
              [&](int64_t begin, int64_t end) { run_thread_rows(team, context, operands, per_thread, begin, end); });
    return;
  }
  for (int64_t first = 0; first < operands.rows; first += kMostRows) {
    run_rows(team, context, operands, first, std::min(kMostRows, operands.rows - first));
  }
}

/// What row `first` is computed from; the result is added to the operand's.
const float* MlpOperation::source(const Context& context, const Operands& operands, int64_t first) const {
  return (layer_->kept ? context.workspace.at(Buffer::Kept) : operands.in) + first * operands.width;
}

void MlpOperation::load_row(const Context& context, const float* row, float* scratch, Activations& inputs,
                            int64_t at) const {
  if (!layer_->norm.empty()) {
    layer_->norm.apply(context.kernels, row, scratch);
    row = scratch;
  }
  inputs.set_row(at, row);
}

void MlpOperation::store_row(const Context& context, float* result, const float* in, float* out) const {
  const int64_t width = layer_->down->rows;
  if (!layer_->post_norm.empty()) {
    context.kernels.rms_norm(result, layer_->post_norm.data(), static_cast<int>(width), layer_->norm_eps, result);
  }
  if (out != in) std::memcpy(out, in, sizeof(float) * static_cast<size_t>(width));
  context.kernels.add(result, width, out);
  if (layer_->output_scale != 1.0f) context.kernels.scale(layer_->output_scale, width, out);
}

void MlpOperation::run_rows(Team& team, const Context& context, const Operands& operands, int64_t first,
                            int64_t rows) const {
  const MlpLayer& layer = *layer_;
  const int64_t width = operands.width, hidden = layer.up->rows;
  Workspace& space = context.workspace;
  Activations& inputs =
      space.activations(rows, width, needs(*layer.up) | (layer.gate != nullptr ? needs(*layer.gate) : 0));
  Activations& hidden_inputs = space.activations(rows, hidden, needs(*layer.down));
  float* const up = space.at(Buffer::Up);
  float* const gate = space.at(Buffer::Gate);
  float* const result = space.at(Buffer::Result);
  float* const scratch = space.at(Buffer::PerThread) + team.index() * width;
  const float* const origin = source(context, operands, first);
  const float* const in = operands.in + first * width;
  float* const out = operands.out + first * width;
  const LowRankProducts* const adds = context.added(layer.place(AdapterRole::Up));
  const LowRankProducts* const adds_down = context.added(layer.place(AdapterRole::Down));
  float* const normed = space.at(Buffer::Inputs);
  float* const low_rank = space.at(Buffer::LowRank);

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      load_row(context, origin + t * width, adds != nullptr ? normed + t * width : scratch, inputs, t);
    }
  });
  team.barrier();

  const auto project = [&](const Matrix& m, const Activations& x, const Vector& bias, float* y) {
    team.loop(m.panels(), m.grain(rows, team.size()),
              [&](int64_t begin, int64_t end) { matmul_panels(m, x, y, m.rows, begin, end, data_or_null(bias)); });
  };
  if (adds != nullptr) {
    const float* const rows_in = layer.norm.empty() ? origin : normed;
    adds->down(team, context.kernels, first, rows, rows_in, width, low_rank);
  }
  project(*layer.up, inputs, layer.up_bias, up);
  if (layer.gate != nullptr) project(*layer.gate, inputs, layer.gate_bias, gate);
  team.barrier();

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    if (adds != nullptr) {
      const float* const from = low_rank + begin * adds->stride();
      adds->up(context.kernels, 0, first + begin, first + end, from, up + begin * hidden, hidden);
      if (layer.gate != nullptr) {
        adds->up(context.kernels, 1, first + begin, first + end, from, gate + begin * hidden, hidden);
      }
    }
    for (int64_t t = begin; t < end; ++t) {
      float* row = up + t * hidden;
      context.kernels.activate(layer.kind, layer.gate != nullptr ? gate + t * hidden : nullptr, hidden, row);
      hidden_inputs.set_row(t, row);
    }
  });
  team.barrier();

  if (adds_down != nullptr) adds_down->down(team, context.kernels, first, rows, up, hidden, low_rank);
  project(*layer.down, hidden_inputs, layer.down_bias, result);
  team.barrier();

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    if (adds_down != nullptr) {
      const float* const from = low_rank + begin * adds_down->stride();
      adds_down->up(context.kernels, 0, first + begin, first + end, from, result + begin * width, width);
    }
    for (int64_t t = begin; t < end; ++t) store_row(context, result + t * width, in + t * width, out + t * width);
  });
}

/// Rows [begin, end) through the whole layer on one thread, whose scratch begins at row index * most.
void MlpOperation::run_thread_rows(const Team& team, const Context& context, const Operands& operands, int64_t most,
                                   int64_t begin, int64_t end) const {
  const MlpLayer& layer = *layer_;
  const int64_t width = operands.width, hidden = layer.up->rows, rows = end - begin, own = team.index() * most;
  Workspace& space = context.workspace;
  Activations& inputs = space.activations(most * context.threads, width, needs(*layer.up));
  Activations& hidden_inputs = space.activations(most * context.threads, hidden, needs(*layer.down));
  float* const up = space.at(Buffer::Up) + own * hidden;
  float* const result = space.at(Buffer::Result) + own * width;
  float* const scratch = space.at(Buffer::PerThread) + team.index() * width;
  const float* const from = source(context, operands, begin);
  const float* const in = operands.in + begin * width;
  float* const out = operands.out + begin * width;

  for (int64_t t = 0; t < rows; ++t) load_row(context, from + t * width, scratch, inputs, own + t);
  multiply_int16(*layer.up, inputs, own, rows, up, data_or_null(layer.up_bias));
  for (int64_t t = 0; t < rows; ++t) {
    context.kernels.activate(layer.kind, nullptr, hidden, up + t * hidden);
    hidden_inputs.set_row(own + t, up + t * hidden);
  }
  multiply_int16(*layer.down, hidden_inputs, own, rows, result, data_or_null(layer.down_bias));
  for (int64_t t = 0; t < rows; ++t) store_row(context, result + t * width, in + t * width, out + t * width);
}

}  // namespace mlxr
