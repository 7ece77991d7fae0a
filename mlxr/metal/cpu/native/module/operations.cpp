// The module's operations: each appends to what an array will be computed by.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "module/shared.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

mx::array attention(const SharedEngine& engine, const mx::array& x, const SharedAttention& layer,
                    const SharedBatch& batch, const SharedPool* pool, int index) {
  return append_mixer(engine, x, batch, pool, layer.value->query->cols, [&](const auto& pages) {
    return std::make_shared<const AttentionOperation>(layer.value, batch.value, pages, index);
  });
}

mx::array replay_program(const SharedEngine& engine, const SharedProgram& program, const mx::array& tokens,
                         const SharedBatch& batch, const SharedPool* pool) {
  return replay(engine.value, *program.value, tokens, batch.value, value_of(pool));
}

mx::array linear(const SharedEngine& engine, const mx::array& x, const SharedLinear& linear) {
  const Matrix& matrix = linear.value->matrix();
  if (x.ndim() != 2 || x.shape(1) != matrix.cols) throw std::invalid_argument("x must be [rows, in_features]");
  return append(engine.value, x, linear.value, {}, x.shape(0), matrix.rows, Fuse::No);
}

mx::array norm(const SharedEngine& engine, const mx::array& x, const SharedNorm& norm) {
  if (x.ndim() != 2 || x.shape(1) != norm.value->width()) {
    throw std::invalid_argument("the norm does not fit its input");
  }
  return append(engine.value, x, norm.value, {}, x.shape(0), x.shape(1), Fuse::Yes);
}

mx::array per_layer_embedding_on(const SharedEngine& engine, const mx::array& x, const mx::array& tokens,
                                 const SharedPerLayerEmbedding& embedding) {
  if (x.ndim() != 2 || x.shape(1) != embedding.value->projection->cols || tokens.ndim() != 1 ||
      tokens.shape(0) != x.shape(0)) {
    throw std::invalid_argument("x must be [tokens, width]");
  }
  auto operation = std::make_shared<PerLayerEmbeddingOperation>(embedding.value);
  return append(engine.value, x, std::move(operation), tokens, x.shape(0), x.shape(1), Fuse::Yes);
}

/// The numbers that it adds lie in the engine's scratch memory, so `x` must come from those that leave them there.
mx::array per_layer_input_on(const SharedEngine& engine, const mx::array& x, const SharedPerLayerInput& layer) {
  const PerLayerEmbedding* embedding = per_layer_embedding(engine.value, x);
  if (embedding == nullptr) {
    throw std::invalid_argument("x does not come from a per-layer embedding of the same step");
  }
  layer.value->check(*embedding);
  auto operation = std::make_shared<PerLayerInputOperation>(layer.value, embedding->table->cols);
  return append(engine.value, x, std::move(operation), {}, x.shape(0), x.shape(1), Fuse::Yes);
}

}  // namespace

void bind_operations(nb::module_& m) {
  m.def("embed", [](const SharedEngine& engine, const mx::array& tokens, const SharedMatrix& table, float scale) {
    if (tokens.ndim() != 1) throw std::invalid_argument("tokens must be one-dimensional");
    auto operation = std::make_shared<EmbedOperation>(table.value, scale);
    return append(engine.value, {}, std::move(operation), tokens, tokens.shape(0), table.value->cols, Fuse::No);
  });
  m.def("linear", &linear, "engine"_a, "x"_a, "linear"_a);
  m.def("norm", &norm, "engine"_a, "x"_a, "norm"_a);
  m.def("attention", &attention, "engine"_a, "x"_a, "layer"_a, "batch"_a, "pool"_a.none(), "index"_a);
  m.def("keep", [](const SharedEngine& engine, const mx::array& x) {
    if (x.ndim() != 2) throw std::invalid_argument("x must be [rows, width]");
    return append(engine.value, x, std::make_shared<KeepOperation>(), {}, x.shape(0), x.shape(1), Fuse::Yes);
  });
  m.def(
      "mlp",
      [](const SharedEngine& engine, const mx::array& x, const SharedMlp& layer, const SharedBatch* batch) {
        if (x.ndim() != 2 || x.shape(1) != layer.value->up->cols) {
          throw std::invalid_argument("x must be [rows, width]");
        }
        return append(engine.value, x, std::make_shared<MlpOperation>(layer.value), {}, x.shape(0), x.shape(1),
                      Fuse::Yes, nullptr, batch != nullptr ? batch->value->adapters() : nullptr);
      },
      "engine"_a, "x"_a, "layer"_a, "batch"_a.none() = nb::none());
  m.def("per_layer_embedding", &per_layer_embedding_on, "engine"_a, "x"_a, "tokens"_a, "embedding"_a);
  m.def("per_layer_input", &per_layer_input_on, "engine"_a, "x"_a, "layer"_a);
  m.def(
      "experts",
      [](const SharedEngine& engine, const mx::array& x, const SharedExperts& layer) {
        if (x.ndim() != 2 || x.shape(1) != layer.value->width()) {
          throw std::invalid_argument("x must be [rows, width]");
        }
        return append(engine.value, x, std::make_shared<ExpertsOperation>(layer.value), {}, x.shape(0), x.shape(1),
                      Fuse::Yes);
      },
      "engine"_a, "x"_a, "layer"_a);
  m.def(
      "logits",
      [](const SharedEngine& engine, const mx::array& x, const mx::array& rows, const SharedHead& head) {
        if (x.ndim() != 2 || x.shape(1) != head.value->matrix->cols || rows.ndim() != 1) {
          throw std::invalid_argument("x must be [rows, width]");
        }
        auto operation = std::make_shared<LogitsOperation>(head.value);
        return append(engine.value, x, std::move(operation), rows, rows.shape(0), head.value->matrix->rows, Fuse::No);
      },
      "engine"_a, "x"_a, "rows"_a, "head"_a);
  nb::class_<SharedProgram>(m, "Program");
  m.def("record", [](const SharedEngine& engine, const mx::array& x) -> std::optional<SharedProgram> {
    auto program = record(engine.value, x);
    return program != nullptr ? std::optional(SharedProgram(std::move(program))) : std::nullopt;
  });
  m.def("replay", &replay_program, "engine"_a, "program"_a, "tokens"_a, "batch"_a, "pool"_a.none());
  m.def("sample", [](const SharedEngine& engine, const mx::array& logits, const SharedRows& rows) {
    return sample_rows(engine.value, logits, rows.value);
  });
  m.def("token_logprobs", [](const SharedEngine& engine, const mx::array& logits, const mx::array& tokens,
                             int alternatives) { return row_logprobs(engine.value, logits, tokens, alternatives); });
  m.def("barrier",
        [](const SharedEngine& engine, const SharedPool& pool) { return barrier(engine.value, pool.value); });
}

}  // namespace mlxr
