#include "ops/mlp.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "quant/int16_matrix.h"

namespace mlxr {
namespace {

/// Rows that go through at once: bounds the memory of the widest rows of a model.
constexpr int64_t kMostRows = 256;

void require(bool fits, const char* what) {
  if (!fits) throw std::invalid_argument(what);
}

}  // namespace

void MlpLayer::check() const {
  const int64_t width = up->cols, hidden = up->rows;
  const auto fits = [](const Vector& v, int64_t size) { return v.empty() || static_cast<int64_t>(v.size()) == size; };
  require(down->cols == hidden && down->rows == width, "up and down do not fit together");
  require(gate == nullptr || (gate->cols == width && gate->rows == hidden), "up and gate differ in shape");
  require(fits(norm, width) && fits(post_norm, width) && fits(down_bias, width) && fits(up_bias, hidden) &&
              fits(gate_bias, hidden),
          "a norm or bias has the wrong length");
}

int64_t MlpOperation::rows_alone(const Tools& tools, const Stage& stage) const {
  const bool words = layer_->up->words && layer_->down->words && layer_->gate == nullptr;
  return words ? mlxr::rows_alone(*layer_->up, stage.rows, tools.threads) : 0;
}

void MlpOperation::prepare(const Tools& tools, const Stage& stage) const {
  const MlpLayer& layer = *layer_;
  Workspace& space = tools.workspace;
  const unsigned forms = needs(*layer.up) | (layer.gate != nullptr ? needs(*layer.gate) : 0);
  const int64_t alone = rows_alone(tools, stage);
  const int64_t most = alone > 0 ? alone * tools.threads : std::min(stage.rows, kMostRows);
  for (const int64_t rows : {most, alone > 0 ? 0 : stage.rows % kMostRows}) {
    space.reserve_activations(rows, stage.width, forms, tools.isa);
    space.reserve_activations(rows, layer.up->rows, needs(*layer.down), tools.isa);
  }
  space.reserve_floats(Slot::Up, most * layer.up->rows);
  space.reserve_floats(Slot::Gate, most * layer.up->rows);
  space.reserve_floats(Slot::Result, most * stage.width);
  space.reserve_floats(Slot::PerThread, tools.threads * stage.width);
}

void MlpOperation::run(Team& team, const Tools& tools, const Stage& stage) const {
  if (const int64_t alone = rows_alone(tools, stage); alone > 0) {
    team.loop(stage.rows, alone, [&](int64_t begin, int64_t end) { run_alone(team, tools, stage, alone, begin, end); });
    return;
  }
  for (int64_t first = 0; first < stage.rows; first += kMostRows) {
    run_rows(team, tools, stage, first, std::min(kMostRows, stage.rows - first));
  }
}

void MlpOperation::take_in(const Tools& tools, const float* row, float* scratch, Activations& inputs,
                           int64_t at) const {
  if (!layer_->norm.empty()) {
    tools.kernels.rms_norm(row, layer_->norm.data(), static_cast<int>(inputs.cols()), layer_->norm_eps, scratch);
    row = scratch;
  }
  inputs.set_row(at, row);
}

void MlpOperation::give_out(const Tools& tools, float* result, const float* in, float* out) const {
  const int64_t width = layer_->down->rows;
  if (!layer_->post_norm.empty()) {
    tools.kernels.rms_norm(result, layer_->post_norm.data(), static_cast<int>(width), layer_->norm_eps, result);
  }
  if (out != in) std::memcpy(out, in, sizeof(float) * static_cast<size_t>(width));
  tools.kernels.add(result, width, out);
}

void MlpOperation::run_rows(Team& team, const Tools& tools, const Stage& stage, int64_t first, int64_t rows) const {
  const MlpLayer& layer = *layer_;
  const int64_t width = stage.width, hidden = layer.up->rows;
  Workspace& space = tools.workspace;
  Activations& inputs =
      space.activations(rows, width, needs(*layer.up) | (layer.gate != nullptr ? needs(*layer.gate) : 0));
  Activations& hidden_inputs = space.activations(rows, hidden, needs(*layer.down));
  float* const up = space.at(Slot::Up);
  float* const gate = space.at(Slot::Gate);
  float* const result = space.at(Slot::Result);
  float* const scratch = space.at(Slot::PerThread) + team.index() * width;
  const float* const in = stage.in + first * width;
  float* const out = stage.out + first * width;

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) take_in(tools, in + t * width, scratch, inputs, t);
  });
  team.barrier();

  const auto project = [&](const Matrix& m, const Activations& x, const Vector& bias, float* y) {
    team.loop(m.panels(), m.grain(rows),
              [&](int64_t begin, int64_t end) { matmul_panels(m, x, y, m.rows, begin, end, data_or_null(bias)); });
  };
  project(*layer.up, inputs, layer.up_bias, up);
  if (layer.gate != nullptr) project(*layer.gate, inputs, layer.gate_bias, gate);
  team.barrier();

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = up + t * hidden;
      tools.kernels.activate(layer.kind, layer.gate != nullptr ? gate + t * hidden : nullptr, hidden, row);
      hidden_inputs.set_row(t, row);
    }
  });
  team.barrier();

  project(*layer.down, hidden_inputs, layer.down_bias, result);
  team.barrier();

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) give_out(tools, result + t * width, in + t * width, out + t * width);
  });
}

/// Rows [begin, end) through the whole layer on one thread, whose scratch begins at row index * most.
void MlpOperation::run_alone(const Team& team, const Tools& tools, const Stage& stage, int64_t most, int64_t begin,
                             int64_t end) const {
  const MlpLayer& layer = *layer_;
  const int64_t width = stage.width, hidden = layer.up->rows, rows = end - begin, own = team.index() * most;
  Workspace& space = tools.workspace;
  Activations& inputs = space.activations(most * tools.threads, width, needs(*layer.up));
  Activations& hidden_inputs = space.activations(most * tools.threads, hidden, needs(*layer.down));
  float* const up = space.at(Slot::Up) + own * hidden;
  float* const result = space.at(Slot::Result) + own * width;
  float* const scratch = space.at(Slot::PerThread) + team.index() * width;
  const float* const in = stage.in + begin * width;
  float* const out = stage.out + begin * width;

  for (int64_t t = 0; t < rows; ++t) take_in(tools, in + t * width, scratch, inputs, own + t);
  multiply_words(*layer.up, inputs, own, rows, up, data_or_null(layer.up_bias));
  for (int64_t t = 0; t < rows; ++t) {
    tools.kernels.activate(layer.kind, nullptr, hidden, up + t * hidden);
    hidden_inputs.set_row(own + t, up + t * hidden);
  }
  multiply_words(*layer.down, hidden_inputs, own, rows, result, data_or_null(layer.down_bias));
  for (int64_t t = 0; t < rows; ++t) give_out(tools, result + t * width, in + t * width, out + t * width);
}

}  // namespace mlxr
