#include "ops/mlp.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

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
  require(fits(norm, width) && fits(post_norm, width) && fits(down_bias, width) && fits(up_bias, hidden),
          "a norm or bias has the wrong length");
}

void MlpOperation::prepare(const Tools& tools, const Stage& stage) const {
  const MlpLayer& layer = *layer_;
  const int64_t most = std::min(stage.rows, kMostRows), rest = stage.rows % kMostRows;
  Workspace& space = tools.workspace;
  const unsigned forms = needs(*layer.up) | (layer.gate != nullptr ? needs(*layer.gate) : 0);
  for (const int64_t rows : {most, rest}) {
    space.reserve_activations(rows, stage.width, forms, tools.isa);
    space.reserve_activations(rows, layer.up->rows, needs(*layer.down), tools.isa);
  }
  space.reserve_floats(Slot::Up, most * layer.up->rows);
  space.reserve_floats(Slot::Gate, most * layer.up->rows);
  space.reserve_floats(Slot::Result, most * stage.width);
  space.reserve_floats(Slot::PerThread, tools.threads * stage.width);
}

void MlpOperation::run(Team& team, const Tools& tools, const Stage& stage) const {
  for (int64_t first = 0; first < stage.rows; first += kMostRows) {
    run_rows(team, tools, stage, first, std::min(kMostRows, stage.rows - first));
  }
}

void MlpOperation::run_rows(Team& team, const Tools& tools, const Stage& stage, int64_t first, int64_t rows) const {
  const MlpLayer& layer = *layer_;
  const BlockKernels& kernels = tools.kernels;
  const int64_t width = stage.width, hidden = layer.up->rows;
  Workspace& space = tools.workspace;
  Activations& inputs = space.activations(rows, width, needs(*layer.up) | (layer.gate != nullptr ? needs(*layer.gate) : 0));
  Activations& hidden_inputs = space.activations(rows, hidden, needs(*layer.down));
  float* const up = space.at(Slot::Up);
  float* const gate = space.at(Slot::Gate);
  float* const result = space.at(Slot::Result);
  float* const scratch = space.at(Slot::PerThread) + team.index() * width;

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = stage.in + (first + t) * width;
      if (!layer.norm.empty()) {
        kernels.rms_norm(row, layer.norm.data(), static_cast<int>(width), layer.norm_eps, scratch);
        row = scratch;
      }
      inputs.set_row(t, row);
    }
  });
  team.barrier();

  const auto project = [&](const Matrix& m, const Activations& x, float* y) {
    team.loop(m.panels(), m.grain(rows), [&](int64_t begin, int64_t end) { matmul_panels(m, x, y, m.rows, begin, end); });
  };
  project(*layer.up, inputs, up);
  if (layer.gate != nullptr) project(*layer.gate, inputs, gate);
  team.barrier();

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = up + t * hidden;
      if (!layer.up_bias.empty()) kernels.add(layer.up_bias.data(), hidden, row);
      kernels.activate(layer.kind, layer.gate != nullptr ? gate + t * hidden : nullptr, hidden, row);
      hidden_inputs.set_row(t, row);
    }
  });
  team.barrier();

  project(*layer.down, hidden_inputs, result);
  team.barrier();

  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* row = result + t * width;
      if (!layer.down_bias.empty()) kernels.add(layer.down_bias.data(), width, row);
      if (!layer.post_norm.empty()) {
        kernels.rms_norm(row, layer.post_norm.data(), static_cast<int>(width), layer.norm_eps, row);
      }
      const float* in = stage.in + (first + t) * width;
      float* out = stage.out + (first + t) * width;
      if (out != in) std::memcpy(out, in, sizeof(float) * static_cast<size_t>(width));
      kernels.add(row, width, out);
    }
  });
}

}  // namespace mlxr
