#include "ops/rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mlxr {

void EmbedOperation::run(Team& team, const Tools& tools, const Stage& stage) const {
  team.loop(stage.out_rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* out = stage.out + t * stage.out_width;
      if (stage.ids[t] < 0 || stage.ids[t] >= table_->rows) {
        std::fill_n(out, stage.out_width, 0.0f);
        continue;
      }
      dequantize_row(*table_, stage.ids[t], out);
      if (scale_ != 1.0f) tools.kernels.scale(scale_, stage.out_width, out);
    }
  });
}

void LinearOperation::prepare(const Tools& tools, const Stage& stage) const {
  tools.workspace.reserve_activations(stage.rows, stage.width, needs(*matrix_), tools.isa);
}

void LinearOperation::run(Team& team, const Tools& tools, const Stage& stage) const {
  Activations& inputs = tools.workspace.activations(stage.rows, stage.width, needs(*matrix_));
  team.loop(stage.rows, 4, [&](int64_t begin, int64_t end) {
    inputs.set_rows(begin, end, stage.in + begin * stage.width, stage.width);
  });
  team.barrier();
  team.loop(matrix_->panels(), matrix_->grain(stage.rows), [&](int64_t begin, int64_t end) {
    matmul_panels(*matrix_, inputs, stage.out, matrix_->rows, begin, end, data_or_null(bias_));
  });
}

void NormOperation::run(Team& team, const Tools& tools, const Stage& stage) const {
  const int width = static_cast<int>(stage.width);
  team.loop(stage.rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* in = stage.in + t * width;
      float* out = stage.out + t * width;
      if (bias_.empty()) {
        tools.kernels.rms_norm(in, weight_.data(), width, eps_, out);
      } else {
        tools.kernels.layer_norm(in, weight_.data(), bias_.data(), width, eps_, out);
      }
    }
  });
}

void LogitsOperation::prepare(const Tools& tools, const Stage& stage) const {
  tools.workspace.reserve_activations(stage.out_rows, stage.width, needs(*head_->matrix), tools.isa);
  tools.workspace.reserve_floats(Slot::PerThread, tools.threads * stage.width);
}

void LogitsOperation::run(Team& team, const Tools& tools, const Stage& stage) const {
  const Matrix& m = *head_->matrix;
  const int width = static_cast<int>(stage.width);
  Activations& inputs = tools.workspace.activations(stage.out_rows, stage.width, needs(m));
  float* const scratch = tools.workspace.at(Slot::PerThread) + team.index() * stage.width;
  team.loop(stage.out_rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t row = stage.ids[r];
      if (row < 0 || row >= stage.rows) {
        std::fill_n(scratch, width, std::numeric_limits<float>::quiet_NaN());
      } else {
        tools.kernels.rms_norm(stage.in + row * width, head_->norm.data(), width, head_->norm_eps, scratch);
      }
      inputs.set_row(r, scratch);
    }
  });
  team.barrier();
  team.loop(m.panels(), m.grain(stage.out_rows), [&](int64_t begin, int64_t end) {
    matmul_panels(m, inputs, stage.out, m.rows, begin, end);
    if (head_->softcap <= 0) return;
    const int64_t first = begin * m.lanes, last = std::min(end * m.lanes, m.rows);
    for (int64_t r = 0; r < stage.out_rows; ++r) {
      tools.kernels.softcap(head_->softcap, last - first, stage.out + r * m.rows + first);
    }
  });
}

void CopyPagesOperation::run(Team& team, const Tools&, const Stage& stage) const {
  team.loop(pool_->layers(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t layer = begin; layer < end; ++layer) {
      for (const auto& [source, target] : pairs_) pool_->copy_page(static_cast<int>(layer), source, target);
    }
  });
  if (team.index() == 0 && stage.out != stage.in && stage.in != nullptr) {
    std::memcpy(stage.out, stage.in, sizeof(float) * static_cast<size_t>(stage.rows * stage.width));
  }
}

}  // namespace mlxr
