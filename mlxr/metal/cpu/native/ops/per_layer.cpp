#include "ops/per_layer.h"

#include <cstring>

#include "base/check.h"

namespace mlxr {

void PerLayerEmbedding::check() const {
  require(size() > 0 && table->cols % size() == 0, "the table's rows are no whole layers");
  require(projection->rows == table->cols, "the table and the projection do not fit together");
}

void PerLayerEmbeddingOperation::prepare(const Context& context, const Operands& operands) const {
  const PerLayerEmbedding& e = *embedding_;
  Workspace& space = context.workspace;
  space.reserve_activations(operands.rows, operands.width, needs(*e.projection), context.isa);
  space.reserve_floats(Buffer::PerLayer, operands.rows * e.table->cols);
  space.reserve_floats(Buffer::PerThread, context.threads * e.table->cols);
}

void PerLayerEmbeddingOperation::run(Team& team, const Context& context, const Operands& operands) const {
  const PerLayerEmbedding& e = *embedding_;
  const int64_t rows = operands.rows, width = operands.width, numbers = e.table->cols;
  Activations& inputs = context.workspace.activations(rows, width, needs(*e.projection));
  float* const all = context.workspace.at(Buffer::PerLayer);
  float* const scratch = context.workspace.at(Buffer::PerThread) + team.index() * numbers;
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      const float* row = operands.in + t * width;
      inputs.set_row(t, row);
      if (operands.out != operands.in)
        std::memcpy(operands.out + t * width, row, sizeof(float) * static_cast<size_t>(width));
    }
  });
  team.barrier();
  team.loop(e.projection->panels(), e.projection->grain(rows, team.size()),
            [&](int64_t begin, int64_t end) { matmul_panels(*e.projection, inputs, all, numbers, begin, end); });
  team.barrier();
  team.loop(rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* const row = all + t * numbers;
      const int32_t token = operands.ids[t];
      dequantize_row(*e.table, token < 0 || token >= e.table->rows ? 0 : token, scratch);
      context.kernels.scale(e.table_scale, numbers, scratch);
      for (int64_t at = 0; at < numbers; at += e.size()) {
        context.kernels.rms_norm(row + at, e.norm.data(), static_cast<int>(e.size()), e.norm_eps, row + at);
      }
      context.kernels.add(scratch, numbers, row);
    }
  });
}

void PerLayerInput::check() const {
  const int64_t width = gate->cols, size = gate->rows;
  require(output->rows == width && output->cols == size, "gate and output do not fit together");
  require(static_cast<int64_t>(post_norm.size()) == width, "the post norm has the wrong length");
  require(layer >= 0, "a layer's place is negative");
}

void PerLayerInput::check(const PerLayerEmbedding& embedding) const {
  require(embedding.size() == gate->rows && (layer + 1) * embedding.size() <= embedding.table->cols &&
              embedding.projection->cols == gate->cols,
          "the layer does not fit the per-layer embedding");
}

void PerLayerInputOperation::prepare(const Context& context, const Operands& operands) const {
  const PerLayerInput& p = *input_;
  Workspace& space = context.workspace;
  space.reserve_activations(operands.rows, operands.width, needs(*p.gate), context.isa);
  space.reserve_activations(operands.rows, p.gate->rows, needs(*p.output), context.isa);
  space.reserve_floats(Buffer::Up, operands.rows * p.gate->rows);
  space.reserve_floats(Buffer::Gate, operands.rows * p.gate->rows);
  space.reserve_floats(Buffer::Result, operands.rows * operands.width);
}

void PerLayerInputOperation::run(Team& team, const Context& context, const Operands& operands) const {
  const PerLayerInput& p = *input_;
  const int64_t rows = operands.rows, width = operands.width, size = p.gate->rows;
  Workspace& space = context.workspace;
  Activations& inputs = space.activations(rows, width, needs(*p.gate));
  Activations& hidden = space.activations(rows, size, needs(*p.output));
  const float* const numbers = space.at(Buffer::PerLayer) + p.layer * size;
  float* const up = space.at(Buffer::Up);
  float* const gate = space.at(Buffer::Gate);
  float* const result = space.at(Buffer::Result);
  team.loop(rows, 4,
            [&](int64_t begin, int64_t end) { inputs.set_rows(begin, end, operands.in + begin * width, width); });
  team.barrier();
  team.loop(p.gate->panels(), p.gate->grain(rows, team.size()),
            [&](int64_t begin, int64_t end) { matmul_panels(*p.gate, inputs, gate, size, begin, end); });
  team.barrier();
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* const row = up + t * size;
      std::memcpy(row, numbers + t * numbers_, sizeof(float) * static_cast<size_t>(size));
      context.kernels.activate(p.kind, gate + t * size, size, row);
      hidden.set_row(t, row);
    }
  });
  team.barrier();
  team.loop(p.output->panels(), p.output->grain(rows, team.size()),
            [&](int64_t begin, int64_t end) { matmul_panels(*p.output, hidden, result, width, begin, end); });
  team.barrier();
  team.loop(rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      float* const row = result + t * width;
      float* const out = operands.out + t * width;
      context.kernels.rms_norm(row, p.post_norm.data(), static_cast<int>(width), p.norm_eps, row);
      if (out != operands.in + t * width)
        std::memcpy(out, operands.in + t * width, sizeof(float) * static_cast<size_t>(width));
      context.kernels.add(row, width, out);
      if (p.output_scale != 1.0f) context.kernels.scale(p.output_scale, width, out);
    }
  });
}

}  // namespace mlxr
