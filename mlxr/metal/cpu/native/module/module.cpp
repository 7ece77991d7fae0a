// The Python module mlxr.metal.cpu._native. Its only user is mlxr.metal.cpu.backend, which documents the operations.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "module/chain.h"
#include "ops/attention.h"
#include "ops/mlp.h"
#include "ops/rows.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

template <class T>
using Numbers = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;
using MaybeArray = std::optional<mx::array>;

template <class T>
std::vector<T> copied(const Numbers<T>& a) {
  return std::vector<T>(a.data(), a.data() + a.size());
}

template <class T>
std::vector<T> copied(const std::optional<Numbers<T>>& a) {
  return a ? copied(*a) : std::vector<T>{};
}

/// A norm weight or bias, copied: they are small, and kernels then need no array kept alive.
Vector vector_of(const MaybeArray& a) {
  if (!a) return {};
  mx::array dense = mx::contiguous(mx::astype(*a, mx::float32));
  dense.eval();
  return Vector(dense.data<float>(), dense.data<float>() + dense.size());
}

Type type_named(const std::string& name) {
  for (const TypeInfo& known : kTypes) {
    if (known.name == name) return known.type;
  }
  throw std::invalid_argument("the native CPU backend has no type " + name);
}

Isa isa_named(const std::optional<std::string>& wanted) {
  if (!wanted) return best_isa();
  for (const Isa isa : usable_isas()) {
    if (name(isa) == *wanted) return isa;
  }
  throw std::invalid_argument("this CPU or build has no instruction set " + *wanted);
}

Nonlinearity nonlinearity_named(const std::string& name) {
  if (name == "silu") return Nonlinearity::Silu;
  if (name == "gelu_tanh") return Nonlinearity::GeluTanh;
  if (name == "gelu") return Nonlinearity::Gelu;
  throw std::invalid_argument("unknown activation " + name);
}

std::shared_ptr<const Matrix> pack_matrix(const Engine& engine, const std::string& type, int64_t rows, int64_t cols, const Numbers<uint8_t>& data,
                                          const std::optional<Numbers<float>>& scale, int64_t scale_rows, int64_t scale_cols,
                                          const std::optional<Numbers<float>>& absmax, int64_t absmax_block,
                                          const std::optional<Numbers<float>>& map) {
  const Type kind = type_named(type);
  const size_t expected = kind == Type::NF4 ? static_cast<size_t>(rows * cols + 1) / 2 : static_cast<size_t>(rows) * row_bytes(kind, cols);
  if (cols % info(kind).block.values == 0 && data.size() != expected) throw std::invalid_argument("the data's size does not match the matrix");
  const Extras extras{scale ? scale->data() : nullptr, scale_rows, scale_cols, absmax ? absmax->data() : nullptr, absmax_block,
                      map ? map->data() : nullptr};
  const nb::gil_scoped_release unlocked;
  return pack(kind, rows, cols, data.data(), extras, engine.isa());
}

void bind_layers(nb::module_& m) {
  nb::class_<Matrix>(m, "Matrix").def_prop_ro("nbytes", &Matrix::nbytes).def_ro("rows", &Matrix::rows).def_ro("cols", &Matrix::cols);
  nb::class_<Rope>(m, "Rope").def("__init__", [](Rope* self, bool neighbours, std::vector<float> inverse_frequencies, float magnitude) {
    new (self) Rope{neighbours, std::move(inverse_frequencies), magnitude};
  });
  nb::class_<AttentionLayer>(m, "AttentionLayer")
      .def("__init__",
           [](AttentionLayer* self, MatrixPtr query, MatrixPtr key, MatrixPtr value, MatrixPtr output, std::vector<MaybeArray> vectors, int heads,
              int kv_heads, int head_dim, int window, bool causal, std::shared_ptr<Rope> rope, float scale, float norm_eps, float softcap) {
             if (vectors.size() != 9) throw std::invalid_argument("an attention layer has 9 vectors");
             const auto v = [&](size_t i) { return vector_of(vectors[i]); };
             AttentionLayer layer{query, key, value, output, v(0), v(1), v(2), v(3), v(4), v(5), v(6), v(7), v(8),
                                  {heads, kv_heads, head_dim, window, causal}, std::move(rope), scale, norm_eps, softcap};
             layer.check();
             new (self) AttentionLayer(std::move(layer));
           },
           "query"_a, "key"_a, "value"_a, "output"_a, "vectors"_a, "heads"_a, "kv_heads"_a, "head_dim"_a, "window"_a, "causal"_a,
           "rope"_a.none(), "scale"_a, "norm_eps"_a, "softcap"_a);
  nb::class_<MlpLayer>(m, "MlpLayer")
      .def("__init__",
           [](MlpLayer* self, MatrixPtr up, MatrixPtr down, MatrixPtr gate, std::vector<MaybeArray> vectors, const std::string& kind, float norm_eps) {
             if (vectors.size() != 4) throw std::invalid_argument("an MLP layer has 4 vectors");
             const auto v = [&](size_t i) { return vector_of(vectors[i]); };
             MlpLayer layer{up, down, gate, v(0), v(1), v(2), v(3), nonlinearity_named(kind), norm_eps};
             layer.check();
             new (self) MlpLayer(std::move(layer));
           },
           "up"_a, "down"_a, "gate"_a.none(), "vectors"_a, "kind"_a, "norm_eps"_a);
  nb::class_<Head>(m, "Head").def("__init__", [](Head* self, MatrixPtr matrix, const mx::array& norm, float norm_eps, float softcap) {
    Head head{matrix, vector_of(norm), norm_eps, softcap};
    if (static_cast<int64_t>(head.norm.size()) != matrix->cols) throw std::invalid_argument("the final norm does not fit the head");
    new (self) Head(std::move(head));
  });
}

void bind_steps(nb::module_& m) {
  nb::class_<Batch>(m, "Batch").def(
      "__init__", [](Batch* self, const Numbers<int32_t>& query_starts, const Numbers<int32_t>& context_lengths, const Numbers<int32_t>& positions,
                     const Numbers<int32_t>& slots, const Numbers<int32_t>& block_tables, int page_size) {
        new (self) Batch(copied(query_starts), copied(context_lengths), copied(positions), copied(slots), copied(block_tables), page_size);
      });
  nb::class_<PoolHandle>(m, "Pool")
      .def("__init__",
           [](PoolHandle* self, int layers, int64_t pages, int page_size, int kv_heads, int head_dim) {
             if (layers < 0 || pages < 0 || page_size < 1 || kv_heads < 1 || head_dim < 1) throw std::invalid_argument("a pool needs positive sizes");
             new (self) PoolHandle{std::make_shared<const PagePool>(layers, pages, PageShape{page_size, kv_heads, head_dim}), {}, {}};
           })
      .def("copy_pages", [](PoolHandle& self, const std::vector<std::pair<int64_t, int64_t>>& pairs) {
        for (const auto& [source, target] : pairs) {
          if (std::min(source, target) < 0 || std::max(source, target) >= self.pages->pages()) throw std::out_of_range("no such page in the pool");
        }
        self.copies.insert(self.copies.end(), pairs.begin(), pairs.end());
      });
  m.def("pool_bytes", [](int layers, int64_t pages, int page_size, int kv_heads, int head_dim) {
    return PagePool::nbytes(layers, pages, PageShape{page_size, kv_heads, head_dim});
  });
  nb::class_<SamplingRows>(m, "SamplingRows")
      .def("__init__",
           [](SamplingRows* self, const std::vector<Numbers<float>>& settings, const Numbers<int32_t>& top_k, const std::optional<Numbers<int32_t>>& history,
              const std::optional<Numbers<bool>>& generated, const std::optional<Numbers<int32_t>>& bias_rows,
              const std::optional<Numbers<int32_t>>& bias_tokens, const std::optional<Numbers<float>>& bias_values,
              const std::optional<Numbers<int32_t>>& mask, int logprobs) {
             if (settings.size() != 8) throw std::invalid_argument("there are 8 settings of a row");
             for (const auto& setting : settings) {
               if (setting.size() != top_k.size()) throw std::invalid_argument("every setting has one entry a row");
             }
             SamplingRows rows;
             std::vector<float>* const into[] = {&rows.temperature, &rows.top_p,    &rows.min_p,     &rows.typical_p,
                                                 &rows.repetition,  &rows.presence, &rows.frequency, &rows.uniform};
             for (size_t i = 0; i < 8; ++i) *into[i] = copied(settings[i]);
             rows.top_k = copied(top_k);
             rows.history = copied(history);
             if (generated) rows.generated.assign(generated->data(), generated->data() + generated->size());
             rows.bias_rows = copied(bias_rows);
             rows.bias_tokens = copied(bias_tokens);
             rows.bias_values = copied(bias_values);
             rows.mask = copied(mask);
             rows.logprobs = logprobs;
             if (rows.generated.size() != rows.history.size() && !rows.generated.empty()) throw std::invalid_argument("history and generated differ in shape");
             if (rows.bias_rows.size() != rows.bias_tokens.size() || rows.bias_rows.size() != rows.bias_values.size()) {
               throw std::invalid_argument("biases are triples");
             }
             new (self) SamplingRows(std::move(rows));
           },
           "settings"_a, "top_k"_a, "history"_a.none(), "generated"_a.none(), "bias_rows"_a.none(), "bias_tokens"_a.none(), "bias_values"_a.none(),
           "mask"_a.none(), "logprobs"_a);
}

mx::array attention(const EnginePtr& engine, const mx::array& x, const std::shared_ptr<AttentionLayer>& layer, const std::shared_ptr<Batch>& batch,
                    const PoolPtr& pool, int index) {
  if (x.ndim() != 2 || x.shape(0) != batch->tokens() || x.shape(1) != layer->query->cols) throw std::invalid_argument("x must be [tokens, width]");
  MaybeArray rows = x;
  if (pool != nullptr && !pool->copies.empty()) {
    auto copy = std::make_shared<CopyPagesOperation>(pool->pages, std::exchange(pool->copies, {}));
    rows = append(engine, rows, std::move(copy), {}, x.shape(0), x.shape(1), Joins::Yes, pool);
  }
  auto operation = std::make_shared<AttentionOperation>(layer, batch, pool != nullptr ? pool->pages : nullptr, index);
  return append(engine, rows, std::move(operation), {}, x.shape(0), x.shape(1), Joins::Yes, pool);
}

void bind_engine(nb::module_& m) {
  nb::class_<Engine>(m, "Engine")
      .def("__init__",
           [](Engine* self, int threads, const std::optional<std::string>& isa) {
             new (self) Engine(threads > 0 ? threads : available_threads(), isa_named(isa));
           },
           "threads"_a = 0, "isa"_a.none() = nb::none())
      .def_prop_ro("threads", [](Engine& self) { return self.pool().size(); })
      .def_prop_ro("isa", [](Engine& self) { return std::string(name(self.isa())); })
      .def("pack", &pack_matrix, "type"_a, "rows"_a, "cols"_a, "data"_a, "scale"_a.none() = nb::none(), "scale_rows"_a = 0, "scale_cols"_a = 0,
           "absmax"_a.none() = nb::none(), "absmax_block"_a = 0, "map"_a.none() = nb::none());
  m.def("embed", [](const EnginePtr& engine, const mx::array& tokens, MatrixPtr table, float scale) {
    const int64_t width = table->cols;
    return append(engine, {}, std::make_shared<EmbedOperation>(std::move(table), scale), tokens, tokens.ndim() == 1 ? tokens.shape(0) : 0, width, Joins::No);
  });
  m.def("linear", [](const EnginePtr& engine, const mx::array& x, MatrixPtr matrix, const MaybeArray& bias) {
    const int64_t width = matrix->rows;
    if (x.ndim() != 2 || x.shape(1) != matrix->cols) throw std::invalid_argument("x must be [rows, in_features]");
    Vector values = vector_of(bias);
    if (!values.empty() && static_cast<int64_t>(values.size()) != width) throw std::invalid_argument("the bias has the wrong length");
    return append(engine, x, std::make_shared<LinearOperation>(std::move(matrix), std::move(values)), {}, x.shape(0), width, Joins::No);
  }, "engine"_a, "x"_a, "matrix"_a, "bias"_a.none());
  m.def("norm", [](const EnginePtr& engine, const mx::array& x, const mx::array& weight, const MaybeArray& bias, float eps) {
    Vector weights = vector_of(weight), biases = vector_of(bias);
    if (x.ndim() != 2 || x.shape(1) != static_cast<int>(weights.size()) || (bias && biases.size() != weights.size())) {
      throw std::invalid_argument("the norm does not fit its input");
    }
    return append(engine, x, std::make_shared<NormOperation>(std::move(weights), std::move(biases), eps), {}, x.shape(0), x.shape(1), Joins::No);
  }, "engine"_a, "x"_a, "weight"_a, "bias"_a.none(), "eps"_a);
  m.def("attention", &attention, "engine"_a, "x"_a, "layer"_a, "batch"_a, "pool"_a.none(), "index"_a);
  m.def("mlp", [](const EnginePtr& engine, const mx::array& x, const std::shared_ptr<MlpLayer>& layer) {
    if (x.ndim() != 2 || x.shape(1) != layer->up->cols) throw std::invalid_argument("x must be [rows, width]");
    return append(engine, x, std::make_shared<MlpOperation>(layer), {}, x.shape(0), x.shape(1), Joins::Yes);
  });
  m.def("logits", [](const EnginePtr& engine, const mx::array& x, const mx::array& rows, const std::shared_ptr<Head>& head) {
    if (x.ndim() != 2 || x.shape(1) != head->matrix->cols) throw std::invalid_argument("x must be [rows, width]");
    return append(engine, x, std::make_shared<LogitsOperation>(head), rows, rows.ndim() == 1 ? rows.shape(0) : 0, head->matrix->rows, Joins::No);
  });
  m.def("sample", [](const EnginePtr& engine, const mx::array& logits, std::shared_ptr<SamplingRows> rows) { return sample_rows(engine, logits, std::move(rows)); });
  m.def("score", &score_rows);
  m.def("barrier", &barrier);
  m.def("isas", [] {
    std::vector<std::string> names;
    for (const Isa isa : usable_isas()) names.emplace_back(name(isa));
    return names;
  });
  m.def("available_threads", &available_threads);
}

}  // namespace
}  // namespace mlxr

NB_MODULE(_native, m) {
  m.doc() = "mlxr's CPU kernels as MLX primitives";
  nb::module_::import_("mlx.core");
  mlxr::bind_layers(m);
  mlxr::bind_steps(m);
  mlxr::bind_engine(m);
}
