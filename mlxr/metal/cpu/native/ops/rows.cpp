#include "ops/rows.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace mlxr {

void EmbedOperation::run(Team& team, const Context& context, const Operands& operands) const {
  team.loop(operands.out_rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* out = operands.out + t * operands.out_width;
      if (operands.ids[t] < 0 || operands.ids[t] >= table_->rows) {
        std::fill_n(out, operands.out_width, 0.0f);
        continue;
      }
      dequantize_row(*table_, operands.ids[t], out);
      if (scale_ != 1.0f) context.kernels.scale(scale_, operands.out_width, out);
    }
  });
}

void LinearOperation::prepare(const Context& context, const Operands& operands) const {
  context.workspace.reserve_activations(operands.rows, operands.width, needs(*matrix_), context.isa);
}

void LinearOperation::run(Team& team, const Context& context, const Operands& operands) const {
  Activations& inputs = context.workspace.activations(operands.rows, operands.width, needs(*matrix_));
  team.loop(operands.rows, 4, [&](int64_t begin, int64_t end) {
    inputs.set_rows(begin, end, operands.in + begin * operands.width, operands.width);
  });
  team.barrier();
  team.loop(matrix_->panels(), matrix_->grain(operands.rows, team.size()), [&](int64_t begin, int64_t end) {
    matmul_panels(*matrix_, inputs, operands.out, matrix_->rows, begin, end, data_or_null(bias_));
  });
}

void NormOperation::run(Team& team, const Context& context, const Operands& operands) const {
  const int width = static_cast<int>(operands.width);
  team.loop(operands.rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      norm_.apply(context.kernels, operands.in + t * width, operands.out + t * width);
    }
  });
}

void KeepOperation::prepare(const Context& context, const Operands& operands) const {
  context.workspace.reserve_floats(Buffer::Kept, operands.rows * operands.width);
}

void KeepOperation::run(Team& team, const Context& context, const Operands& operands) const {
  float* const kept = context.workspace.at(Buffer::Kept);
  team.loop(operands.rows, 4, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * operands.width;
    const size_t bytes = sizeof(float) * static_cast<size_t>((end - begin) * operands.width);
    std::memcpy(kept + first, operands.in + first, bytes);
    if (operands.out != operands.in) std::memcpy(operands.out + first, operands.in + first, bytes);
  });
}

void PickRowsOperation::run(Team& team, const Context& context, const Operands& operands) const {
  if (team.index() != 0) return;
  // Each row goes to the place of an earlier one, or stays.
  const auto pick = [&](const float* from, float* to, int64_t width) {
    for (size_t i = 0; i < rows_.size(); ++i) {
      const float* const row = from + rows_[i] * width;
      float* const at = to + static_cast<int64_t>(i) * width;
      if (row != at) std::memmove(at, row, sizeof(float) * static_cast<size_t>(width));
    }
  };
  pick(operands.in, operands.out, operands.width);
  const auto within = [&](Buffer buffer, int64_t width) {
    pick(context.workspace.at(buffer), context.workspace.at(buffer), width);
  };
  if (kept_) within(Buffer::Kept, operands.width);
  if (per_layer_ > 0) within(Buffer::PerLayer, per_layer_);
}

void PlaceRowsOperation::run(Team& team, const Context&, const Operands& operands) const {
  const auto bytes = static_cast<size_t>(operands.out_width) * sizeof(float);
  team.loop(operands.out_rows, 64, [&](int64_t begin, int64_t end) {
    auto next = std::lower_bound(rows_.begin(), rows_.end(), begin);
    for (int64_t t = begin; t < end; ++t) {
      float* const to = operands.out + t * operands.out_width;
      if (next != rows_.end() && *next == t) {
        std::memcpy(to, operands.in + (next++ - rows_.begin()) * operands.width, bytes);
      } else {
        std::memset(to, 0, bytes);
      }
    }
  });
}

void LogitsOperation::prepare(const Context& context, const Operands& operands) const {
  context.workspace.reserve_activations(operands.out_rows, operands.width, needs(*head_->matrix), context.isa);
  context.workspace.reserve_floats(Buffer::PerThread, context.threads * operands.width);
}

void LogitsOperation::run(Team& team, const Context& context, const Operands& operands) const {
  const Matrix& m = *head_->matrix;
  const int width = static_cast<int>(operands.width);
  Activations& inputs = context.workspace.activations(operands.out_rows, operands.width, needs(m));
  float* const scratch = context.workspace.at(Buffer::PerThread) + team.index() * operands.width;
  team.loop(operands.out_rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t row = operands.ids[r];
      if (row < 0 || row >= operands.rows) {
        std::fill_n(scratch, width, std::numeric_limits<float>::quiet_NaN());
      } else {
        head_->norm.apply(context.kernels, operands.in + row * width, scratch);
      }
      inputs.set_row(r, scratch);
    }
  });
  team.barrier();
  team.loop(m.panels(), m.grain(operands.out_rows, team.size()), [&](int64_t begin, int64_t end) {
    matmul_panels(m, inputs, operands.out, m.rows, begin, end, data_or_null(head_->bias));
    if (head_->softcap <= 0) return;
    const int64_t first = begin * kLanes, last = std::min(end * kLanes, m.rows);
    for (int64_t r = 0; r < operands.out_rows; ++r) {
      context.kernels.softcap(head_->softcap, last - first, operands.out + r * m.rows + first);
    }
  });
}

void CopyPagesOperation::run(Team& team, const Context&, const Operands& operands) const {
  for (int group = 0; group < pool_->groups(); ++group) {
    const GroupPages& pages = pool_->group(group);
    const auto own = [&](const PageCopy& copy) { return copy.group == group; };
    if (std::none_of(copies_.begin(), copies_.end(), own)) continue;
    team.loop(pages.layers(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t layer = begin; layer < end; ++layer) {
        for (const PageCopy& copy : copies_) {
          if (own(copy)) pages.copy_page(static_cast<int>(layer), copy.source, copy.target);
        }
      }
    });
  }
  if (team.index() == 0 && operands.out != operands.in && operands.in != nullptr) {
    std::memcpy(operands.out, operands.in, sizeof(float) * static_cast<size_t>(operands.rows * operands.width));
  }
}

}  // namespace mlxr
