// The Python module mlxr.metal.cpu._native. Its only user is mlxr.metal.cpu.backend, which documents the operations.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <chrono>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <tuple>

#include "module/shared.h"
#include "ops/attention.h"
#include "ops/experts.h"
#include "ops/mlp.h"
#include "ops/per_layer.h"
#include "ops/rows.h"
#include "quant/int16_matrix.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {

Vector vector_of(const MaybeArray& a) {
  if (!a) return {};
  mx::array dense = mx::contiguous(mx::astype(*a, mx::float32));
  {
    const nb::gil_scoped_release unlocked;
    dense.eval();
  }
  return Vector(dense.data<float>(), dense.data<float>() + dense.size());
}

namespace {

using SharedLowRank = Shared<const LowRank>;
using SharedAdapter = Shared<const Adapter>;
using SharedAdapterRows = Shared<const AdapterRows>;
using SharedAttention = Shared<const AttentionLayer>;
using SharedMlp = Shared<const MlpLayer>;
using SharedExperts = Shared<const ExpertsLayer>;
using SharedPerLayerEmbedding = Shared<const PerLayerEmbedding>;
using SharedPerLayerInput = Shared<const PerLayerInput>;
using SharedHead = Shared<const Head>;
using SharedLinear = Shared<const LinearOperation>;
using SharedNorm = Shared<const NormOperation>;
using SharedRows = Shared<const SamplingRows>;
using SharedProgram = Shared<const Program>;

template <class T>
using Matrix2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using Numbers = nb::ndarray<const T, nb::c_contig, nb::device::cpu>;

template <class T>
std::vector<T> copied(const Numbers<T>& a) {
  return std::vector<T>(a.data(), a.data() + a.size());
}

template <class T>
std::vector<T> copied(const std::optional<Numbers<T>>& a) {
  return a ? copied(*a) : std::vector<T>{};
}

/// A factor that a model may have; 1 where it has none.
float number_of(const MaybeArray& a) {
  const Vector values = vector_of(a);
  return values.empty() ? 1.0f : values.front();
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
  if (name == "swiglu_oai") return Nonlinearity::SwigluOai;
  if (name == "relu_squared") return Nonlinearity::ReluSquared;
  throw std::invalid_argument("unknown activation " + name);
}

// Work between two calls of what lets others have the CPU while a matrix is packed.
constexpr std::chrono::milliseconds kPauseTime{1};

SharedMatrix pack_matrix(const SharedEngine& engine, const std::string& type, int64_t rows, int64_t cols,
                         const Numbers<uint8_t>& data, const std::optional<Numbers<float>>& scale, int64_t scale_rows,
                         int64_t scale_cols, const std::optional<Numbers<float>>& absmax, int64_t absmax_block,
                         const std::optional<Numbers<float>>& map, const std::optional<nb::callable>& pause) {
  const Type kind = type_named(type);
  const size_t expected =
      kind == Type::NF4 ? static_cast<size_t>(rows * cols + 1) / 2 : static_cast<size_t>(rows) * row_bytes(kind, cols);
  if (cols % info(kind).block.values == 0 && data.size() != expected) {
    throw std::invalid_argument("the data's size does not match the matrix");
  }
  const Extras extras{scale ? scale->data() : nullptr,   scale_rows,   scale_cols,
                      absmax ? absmax->data() : nullptr, absmax_block, map ? map->data() : nullptr};
  const nb::gil_scoped_release unlocked;
  if (!pause) return SharedMatrix(pack(kind, rows, cols, data.data(), extras, engine.value->isa()));
  auto last = std::chrono::steady_clock::now();
  return SharedMatrix(pack(kind, rows, cols, data.data(), extras, engine.value->isa(), [&] {
    if (std::chrono::steady_clock::now() - last < kPauseTime) return;
    {
      const nb::gil_scoped_acquire locked;
      (*pause)();
    }
    last = std::chrono::steady_clock::now();
  }));
}

SharedMatrix pack_int16_matrix(const SharedEngine& engine, int64_t rows, int64_t cols, const Numbers<float>& data) {
  if (rows < 0 || cols < 0 || data.size() != static_cast<size_t>(rows * cols)) {
    throw std::invalid_argument("the data's size does not match the matrix");
  }
  const nb::gil_scoped_release unlocked;
  return SharedMatrix(pack_int16(rows, cols, data.data(), engine.value->isa()));
}

RowNorm norm_of(const MaybeArray& weight, const MaybeArray& bias, bool centred, float eps) {
  return {vector_of(weight), vector_of(bias), centred, eps};
}

void bind_layers(nb::module_& m) {
  nb::class_<SharedMatrix>(m, "Matrix")
      .def_prop_ro("nbytes", [](const SharedMatrix& self) { return self.value->nbytes(); })
      .def_prop_ro("rows", [](const SharedMatrix& self) { return self.value->rows; })
      .def_prop_ro("cols", [](const SharedMatrix& self) { return self.value->cols; });
  nb::class_<SharedRope>(m, "Rope").def("__init__", [](SharedRope* self, bool neighbours,
                                                       std::vector<float> inverse_frequencies, float magnitude) {
    new (self) SharedRope(std::make_shared<const Rope>(Rope{neighbours, std::move(inverse_frequencies), magnitude}));
  });
  nb::class_<SharedAttention>(m, "AttentionLayer")
      .def(
          "__init__",
          [](SharedAttention* self, const SharedMatrix& query, const SharedMatrix* key, const SharedMatrix* value,
             const SharedMatrix& output, const SharedMatrix* gate, const MaybeArray& norm, const MaybeArray& norm_bias,
             bool centred, const MaybeArray& query_norm, const MaybeArray& key_norm, const MaybeArray& post_norm,
             const MaybeArray& query_bias, const MaybeArray& key_bias, const MaybeArray& value_bias,
             const MaybeArray& output_bias, const MaybeArray& sinks, int heads, int kv_heads, int head_dim, int window,
             bool causal, bool norm_values, int kv_layer, bool chunked, const SharedRope* rope, bool rope_first,
             float temperature, int temperature_length, int temperature_offset, float scale, float norm_eps,
             float softcap, Vector alibi) {
            const auto dims = static_cast<size_t>(std::max(head_dim, 0));
            auto layer = std::make_shared<AttentionLayer>(
                AttentionLayer{.query = query.value,
                               .key = value_of(key),
                               .value = value_of(value),
                               .output = output.value,
                               .gate = value_of(gate),
                               .norm = norm_of(norm, norm_bias, centred, norm_eps),
                               .query_norm = vector_of(query_norm),
                               .key_norm = vector_of(key_norm),
                               .post_norm = vector_of(post_norm),
                               .query_bias = vector_of(query_bias),
                               .key_bias = vector_of(key_bias),
                               .value_bias = vector_of(value_bias),
                               .output_bias = vector_of(output_bias),
                               .sinks = vector_of(sinks),
                               .shape = {heads, kv_heads, head_dim, window, causal, chunked},
                               .rope = value_of(rope),
                               .rope_first = rope_first,
                               .temperature = {temperature, temperature_length, temperature_offset},
                               .scale = scale,
                               .norm_eps = norm_eps,
                               .softcap = softcap,
                               .alibi = std::move(alibi),
                               .value_norm = norm_values ? Vector(dims, 1.0f) : Vector{},
                               .kv_layer = kv_layer});
            layer->check();
            new (self) SharedAttention(std::move(layer));
          },
          nb::kw_only(), "query"_a, "key"_a.none(), "value"_a.none(), "output"_a, "gate"_a.none(), "norm"_a.none(),
          "norm_bias"_a.none(), "centred"_a, "query_norm"_a.none(), "key_norm"_a.none(), "post_norm"_a.none(),
          "query_bias"_a.none(), "key_bias"_a.none(), "value_bias"_a.none(), "output_bias"_a.none(), "sinks"_a.none(),
          "heads"_a, "kv_heads"_a, "head_dim"_a, "window"_a, "causal"_a, "norm_values"_a, "kv_layer"_a, "chunked"_a,
          "rope"_a.none(), "rope_first"_a, "temperature"_a, "temperature_length"_a, "temperature_offset"_a, "scale"_a,
          "norm_eps"_a, "softcap"_a, "alibi"_a);
  nb::class_<SharedMlp>(m, "MlpLayer")
      .def(
          "__init__",
          [](SharedMlp* self, const SharedMatrix& up, const SharedMatrix& down, const SharedMatrix* gate,
             const MaybeArray& norm, const MaybeArray& norm_bias, bool centred, const MaybeArray& post_norm,
             const MaybeArray& up_bias, const MaybeArray& gate_bias, const MaybeArray& down_bias,
             const MaybeArray& output_scale, const std::string& activation, float norm_eps, bool kept, int layer) {
            auto mlp = std::make_shared<MlpLayer>(MlpLayer{.up = up.value,
                                                           .down = down.value,
                                                           .gate = value_of(gate),
                                                           .norm = norm_of(norm, norm_bias, centred, norm_eps),
                                                           .post_norm = vector_of(post_norm),
                                                           .up_bias = vector_of(up_bias),
                                                           .gate_bias = vector_of(gate_bias),
                                                           .down_bias = vector_of(down_bias),
                                                           .kind = nonlinearity_named(activation),
                                                           .norm_eps = norm_eps,
                                                           .kept = kept,
                                                           .output_scale = number_of(output_scale),
                                                           .layer = layer});
            mlp->check();
            new (self) SharedMlp(std::move(mlp));
          },
          nb::kw_only(), "up"_a, "down"_a, "gate"_a.none(), "norm"_a.none(), "norm_bias"_a.none(), "centred"_a,
          "post_norm"_a.none(), "up_bias"_a.none(), "gate_bias"_a.none(), "down_bias"_a.none(), "output_scale"_a.none(),
          "activation"_a, "norm_eps"_a, "kept"_a, "layer"_a = -1);
  nb::class_<SharedPerLayerEmbedding>(m, "PerLayerEmbedding")
      .def(
          "__init__",
          [](SharedPerLayerEmbedding* self, const SharedMatrix& table, const SharedMatrix& projection,
             const mx::array& norm, float norm_eps, float table_scale) {
            auto embedding = std::make_shared<PerLayerEmbedding>(
                PerLayerEmbedding{table.value, projection.value, vector_of(norm), norm_eps, table_scale});
            embedding->check();
            new (self) SharedPerLayerEmbedding(std::move(embedding));
          },
          nb::kw_only(), "table"_a, "projection"_a, "norm"_a, "norm_eps"_a, "table_scale"_a);
  nb::class_<SharedPerLayerInput>(m, "PerLayerInput")
      .def(
          "__init__",
          [](SharedPerLayerInput* self, const SharedMatrix& gate, const SharedMatrix& output,
             const mx::array& post_norm, const MaybeArray& output_scale, const std::string& activation, float norm_eps,
             int layer) {
            auto input = std::make_shared<PerLayerInput>(PerLayerInput{gate.value, output.value, vector_of(post_norm),
                                                                       nonlinearity_named(activation), norm_eps,
                                                                       number_of(output_scale), layer});
            input->check();
            new (self) SharedPerLayerInput(std::move(input));
          },
          nb::kw_only(), "gate"_a, "output"_a, "post_norm"_a, "output_scale"_a.none(), "activation"_a, "norm_eps"_a,
          "layer"_a);
  nb::class_<SharedExperts>(m, "ExpertsLayer")
      .def(
          "__init__",
          [](SharedExperts* self, const SharedMatrix& router, const SharedMatrix& up, const SharedMatrix& down,
             const SharedMatrix* gate, const SharedMatrix* latent_down, const SharedMatrix* latent_up,
             const SharedMatrix* shared_gate, const SharedMatrix* shared_up, const SharedMatrix* shared_down,
             const SharedMatrix* shared_router, const MaybeArray& norm, const MaybeArray& norm_bias, bool centred,
             const MaybeArray& router_bias, const MaybeArray& choice_bias, const MaybeArray& gate_bias,
             const MaybeArray& up_bias, const MaybeArray& down_bias, const MaybeArray& router_norm,
             const MaybeArray& shared_norm, const MaybeArray& expert_scale, const MaybeArray& shared_post_norm,
             const MaybeArray& mixture_post_norm, const MaybeArray& post_norm, const MaybeArray& output_scale,
             int experts, int used, bool sigmoid, bool normalized, float scale, int groups, int used_groups,
             int group_best, bool weighs_inputs, const std::string& activation, float norm_eps, bool kept) {
            const Routing routing{experts, used, sigmoid, normalized, scale, groups, used_groups, group_best};
            auto layer = std::make_shared<ExpertsLayer>(
                ExpertsLayer{.router = router.value,
                             .up = up.value,
                             .down = down.value,
                             .gate = value_of(gate),
                             .latent_down = value_of(latent_down),
                             .latent_up = value_of(latent_up),
                             .shared_gate = value_of(shared_gate),
                             .shared_up = value_of(shared_up),
                             .shared_down = value_of(shared_down),
                             .shared_router = value_of(shared_router),
                             .norm = norm_of(norm, norm_bias, centred, norm_eps),
                             .router_bias = vector_of(router_bias),
                             .choice_bias = vector_of(choice_bias),
                             .gate_bias = vector_of(gate_bias),
                             .up_bias = vector_of(up_bias),
                             .down_bias = vector_of(down_bias),
                             .router_norm = norm_of(router_norm, {}, false, norm_eps),
                             .shared_norm = norm_of(shared_norm, {}, false, norm_eps),
                             .shared_post_norm = norm_of(shared_post_norm, {}, false, norm_eps),
                             .mixture_post_norm = norm_of(mixture_post_norm, {}, false, norm_eps),
                             .post_norm = norm_of(post_norm, {}, false, norm_eps),
                             .expert_scale = vector_of(expert_scale),
                             .output_scale = number_of(output_scale),
                             .routing = routing,
                             .weighs_inputs = weighs_inputs,
                             .kind = nonlinearity_named(activation),
                             .kept = kept});
            layer->check();
            new (self) SharedExperts(std::move(layer));
          },
          nb::kw_only(), "router"_a, "up"_a, "down"_a, "gate"_a.none(), "latent_down"_a.none(), "latent_up"_a.none(),
          "shared_gate"_a.none(), "shared_up"_a.none(), "shared_down"_a.none(), "shared_router"_a.none(),
          "norm"_a.none(), "norm_bias"_a.none(), "centred"_a, "router_bias"_a.none(), "choice_bias"_a.none(),
          "gate_bias"_a.none(), "up_bias"_a.none(), "down_bias"_a.none(), "router_norm"_a.none(),
          "shared_norm"_a.none(), "expert_scale"_a.none(), "shared_post_norm"_a.none(), "mixture_post_norm"_a.none(),
          "post_norm"_a.none(), "output_scale"_a.none(), "experts"_a, "used"_a, "sigmoid"_a, "normalized"_a, "scale"_a,
          "groups"_a, "used_groups"_a, "group_best"_a, "weighs_inputs"_a, "activation"_a, "norm_eps"_a, "kept"_a);
  nb::class_<SharedLinear>(m, "Linear")
      .def(
          "__init__",
          [](SharedLinear* self, const SharedMatrix& matrix, const MaybeArray& bias) {
            Vector values = vector_of(bias);
            if (!values.empty() && static_cast<int64_t>(values.size()) != matrix.value->rows) {
              throw std::invalid_argument("the bias has the wrong length");
            }
            new (self) SharedLinear(std::make_shared<const LinearOperation>(matrix.value, std::move(values)));
          },
          nb::kw_only(), "matrix"_a, "bias"_a.none());
  nb::class_<SharedNorm>(m, "Norm").def(
      "__init__",
      [](SharedNorm* self, const mx::array& weight, const MaybeArray& bias, bool centred, float eps) {
        RowNorm norm = norm_of(weight, bias, centred, eps);
        if (!norm.fits(static_cast<int64_t>(norm.weight.size()))) {
          throw std::invalid_argument("the norm's weight and bias differ in length");
        }
        new (self) SharedNorm(std::make_shared<const NormOperation>(std::move(norm)));
      },
      nb::kw_only(), "weight"_a, "bias"_a.none(), "centred"_a, "eps"_a);
  nb::class_<SharedHead>(m, "Head").def(
      "__init__",
      [](SharedHead* self, const SharedMatrix& matrix, const mx::array& norm, const MaybeArray& norm_bias, bool centred,
         float norm_eps, const MaybeArray& bias, float softcap) {
        auto head = std::make_shared<Head>(
            Head{matrix.value, norm_of(norm, norm_bias, centred, norm_eps), vector_of(bias), softcap});
        if (head->norm.empty() || !head->norm.fits(matrix.value->cols)) {
          throw std::invalid_argument("the final norm does not fit the head");
        }
        if (bias && static_cast<int64_t>(head->bias.size()) != matrix.value->rows) {
          throw std::invalid_argument("the head's bias has the wrong length");
        }
        new (self) SharedHead(std::move(head));
      },
      nb::kw_only(), "matrix"_a, "norm"_a, "norm_bias"_a.none(), "centred"_a, "norm_eps"_a, "bias"_a.none(),
      "softcap"_a);
}

/// forbidden(tokens) -> [(row, allowed tokens as bits)]. The thread that samples waits for the interpreter's lock here,
/// so whoever waits for that thread must have let go of it: mlx.core.eval does. A validator that raises leaves every
/// row without an allowed token.
Validator validator_of(const nb::object& forbidden) {
  const auto let_go = [](nb::object* held) {
    const nb::gil_scoped_acquire lock;
    delete held;
  };
  const std::shared_ptr<nb::object> shared(new nb::object(forbidden), let_go);
  return [shared](const int32_t* tokens, int64_t rows) {
    const nb::gil_scoped_acquire lock;
    std::vector<std::pair<int64_t, std::vector<int32_t>>> found;
    try {
      nb::list list;
      for (int64_t r = 0; r < rows; ++r) list.append(tokens[r]);
      for (const nb::handle& one : nb::cast<nb::list>((*shared)(list))) {
        found.emplace_back(nb::cast<int64_t>(one[0]), copied(nb::cast<Numbers<int32_t>>(one[1])));
      }
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("validating sampled tokens");
      found.clear();
      for (int64_t r = 0; r < rows; ++r) found.emplace_back(r, std::vector<int32_t>{0});
    }
    return found;
  };
}

void require_consistent(const SamplingRows& rows) {
  for (const std::vector<float>* one :
       {&rows.top_p, &rows.min_p, &rows.typical_p, &rows.repetition, &rows.presence, &rows.frequency, &rows.uniform}) {
    if (one->size() != rows.temperature.size()) throw std::invalid_argument("every setting has one entry a row");
  }
  if (rows.top_k.size() != rows.temperature.size()) throw std::invalid_argument("every setting has one entry a row");
  if (!rows.generated.empty() && rows.generated.size() != rows.history.size()) {
    throw std::invalid_argument("history and generated differ in shape");
  }
  if (rows.bias_rows.size() != rows.bias_tokens.size() || rows.bias_rows.size() != rows.bias_values.size()) {
    throw std::invalid_argument("biases are triples");
  }
}

NumberType number_type(bool int8) { return int8 ? NumberType::Int8 : NumberType::Half; }

PageShape page_shape(int page_size, int kv_heads, int head_dim, bool int8_keys, bool int8_values) {
  if (page_size < 1 || kv_heads < 1 || head_dim < 1) throw std::invalid_argument("a pool needs positive sizes");
  return {page_size, kv_heads, head_dim, {number_type(int8_keys), number_type(int8_values)}};
}

void add_group(const SharedPool& pool, const std::vector<int>& layers, int64_t pages, const PageParts& parts,
               PageTypes types = {}) {
  if (pages < 0 ||
      std::any_of(
          parts.begin(), parts.end(), [](int64_t bytes) { return bytes < 1; }) ||
      std::any_of(layers.begin(), layers.end(), [](int layer) { return layer < 0; })) {
    throw std::invalid_argument("a pool needs positive sizes");
  }
  pool.value->pages->add(layers, pages, parts, types);
}

/// Slots, block tables and page size of each cache group.
using GroupArrays = std::vector<std::tuple<Numbers<int32_t>, Numbers<int32_t>, int>>;

void bind_adapters(nb::module_& m) {
  nb::class_<SharedLowRank>(m, "LowRank")
      .def(
          "__init__",
          [](SharedLowRank* self, const Matrix2<float>& down, const Matrix2<float>& up, float scaling) {
            if (down.shape(0) != up.shape(1)) throw std::invalid_argument("down and up differ in rank");
            const nb::gil_scoped_release unlocked;
            new (self) SharedLowRank(std::make_shared<const LowRank>(down.shape(0), up.shape(0), down.shape(1),
                                                                     down.data(), up.data(), scaling));
          },
          "down"_a, "up"_a, "scaling"_a)
      .def_prop_ro("nbytes", [](const SharedLowRank& self) { return self.value->nbytes(); });
  nb::class_<SharedAdapter>(m, "Adapter")
      .def(
          "__init__",
          [](SharedAdapter* self, const std::vector<std::pair<int, SharedLowRank>>& parts) {
            auto adapter = std::make_shared<Adapter>();
            for (const auto& [place, part] : parts) adapter->parts.emplace(place, part.value);
            new (self) SharedAdapter(std::move(adapter));
          },
          "parts"_a);
  nb::class_<SharedAdapterRows>(m, "AdapterRows")
      .def(
          "__init__",
          [](SharedAdapterRows* self, const std::vector<std::vector<std::pair<SharedAdapter, float>>>& stacks,
             const Numbers<int32_t>& owners) {
            std::vector<AdapterStack> made;
            for (const auto& stack : stacks) {
              AdapterStack& uses = made.emplace_back();
              for (const auto& [adapter, scale] : stack) uses.push_back({adapter.value, scale});
            }
            new (self) SharedAdapterRows(std::make_shared<const AdapterRows>(std::move(made), copied(owners)));
          },
          "stacks"_a, "owners"_a);
}

void bind_steps(nb::module_& m) {
  nb::class_<SharedBatch>(m, "Batch")
      .def(
          "__init__",
          [](SharedBatch* self, const Numbers<int32_t>& query_starts, const Numbers<int32_t>& context_lengths,
             const Numbers<int32_t>& positions, const GroupArrays& groups, const SharedAdapterRows* adapters) {
            std::vector<GroupTables> tables;
            for (const auto& [slots, block_tables, page_size] : groups) {
              tables.push_back(GroupTables{copied(slots), copied(block_tables), page_size});
            }
            new (self)
                SharedBatch(std::make_shared<const Batch>(copied(query_starts), copied(context_lengths),
                                                          copied(positions), std::move(tables), value_of(adapters)));
          },
          nb::kw_only(), "query_starts"_a, "context_lengths"_a, "positions"_a, "groups"_a,
          "adapters"_a.none() = nb::none());
  nb::class_<SharedPool>(m, "Pool")
      .def("__init__",
           [](SharedPool* self) {
             new (self) SharedPool(std::make_shared<PoolHandle>(PoolHandle{std::make_shared<PagePool>(), {}, {}}));
           })
      .def(
          "add_keys_and_values",
          [](const SharedPool& self, const std::vector<int>& layers, int64_t pages, int page_size, int kv_heads,
             int head_dim, bool int8_keys, bool int8_values) {
            const PageShape shape = page_shape(page_size, kv_heads, head_dim, int8_keys, int8_values);
            add_group(self, layers, pages, shape.parts(), shape.types);
          },
          nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "kv_heads"_a, "head_dim"_a, "int8_keys"_a = false,
          "int8_values"_a = false)
      .def(
          "add_latents",
          [](const SharedPool& self, const std::vector<int>& layers, int64_t pages, int page_size, int numbers,
             bool int8) {
            const NumberType type = number_type(int8);
            add_group(self, layers, pages, latent_parts(page_size, numbers, type), {type, NumberType::Half});
          },
          nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "numbers"_a, "int8"_a = false)
      .def(
          "add_states",
          [](const SharedPool& self, const std::vector<int>& layers, int64_t pages, int64_t numbers) {
            add_group(self, layers, pages, state_parts(numbers));
          },
          nb::kw_only(), "layers"_a, "pages"_a, "numbers"_a)
      .def(
          "copy_page",
          [](const SharedPool& self, int group, int64_t source, int64_t target) {
            const PagePool& pool = *self.value->pages;
            if (group < 0 || group >= pool.groups()) throw std::out_of_range("no such cache group in the pool");
            if (std::min(source, target) < 0 || std::max(source, target) >= pool.group(group).pages()) {
              throw std::out_of_range("no such page in the pool");
            }
            self.value->copies.push_back({group, source, target});
          },
          "group"_a, "source"_a, "target"_a)
      .def(
          "parts",
          [](const SharedPool& self, int group) {
            // Of each layer and part, the bytes of all pages: [pages][bytes of a page's part].
            const PagePool& pool = *self.value->pages;
            if (group < 0 || group >= pool.groups()) throw std::out_of_range("no such cache group in the pool");
            const GroupPages& pages = pool.group(group);
            std::vector<nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>> views;
            for (int layer = 0; layer < pages.layers(); ++layer) {
              for (size_t i = 0; i < pages.parts().size(); ++i) {
                nb::capsule keeper(new std::shared_ptr<PagePool>(self.value->pages),
                                   [](void* p) noexcept { delete static_cast<std::shared_ptr<PagePool>*>(p); });
                const std::array<size_t, 2> shape{static_cast<size_t>(pages.pages()),
                                                  static_cast<size_t>(pages.parts()[i])};
                views.emplace_back(pages.part<uint8_t>(layer, i), 2, shape.data(), keeper);
              }
            }
            return views;
          },
          "group"_a)
      .def(
          "discard",
          [](const SharedPool& self, int group, int64_t first) {
            const PagePool& pool = *self.value->pages;
            if (group < 0 || group >= pool.groups()) throw std::out_of_range("no such cache group in the pool");
            if (first < 0) throw std::out_of_range("no such page in the pool");
            pool.group(group).discard(first);
          },
          "group"_a, "first"_a);
  m.def(
      "keys_and_values_bytes",
      [](int layers, int64_t pages, int page_size, int kv_heads, int head_dim, bool int8_keys, bool int8_values) {
        return GroupPages::nbytes(layers, pages,
                                  page_shape(page_size, kv_heads, head_dim, int8_keys, int8_values).parts());
      },
      nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "kv_heads"_a, "head_dim"_a, "int8_keys"_a = false,
      "int8_values"_a = false);
  m.def(
      "latents_bytes",
      [](int layers, int64_t pages, int page_size, int numbers, bool int8) {
        return GroupPages::nbytes(layers, pages, latent_parts(page_size, numbers, number_type(int8)));
      },
      nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "numbers"_a, "int8"_a = false);
  m.def(
      "states_bytes",
      [](int layers, int64_t pages, int64_t numbers) {
        return GroupPages::nbytes(layers, pages, state_parts(numbers));
      },
      nb::kw_only(), "layers"_a, "pages"_a, "numbers"_a);
  nb::class_<SharedRows>(m, "SamplingRows")
      .def(
          "__init__",
          [](SharedRows* self, const Numbers<float>& temperature, const Numbers<int32_t>& top_k,
             const Numbers<float>& top_p, const Numbers<float>& min_p, const Numbers<float>& typical_p,
             const Numbers<float>& repetition, const Numbers<float>& presence, const Numbers<float>& frequency,
             const Numbers<float>& uniform, const std::optional<Numbers<int32_t>>& history,
             const std::optional<Numbers<bool>>& generated, const std::optional<Numbers<int32_t>>& bias_rows,
             const std::optional<Numbers<int32_t>>& bias_tokens, const std::optional<Numbers<float>>& bias_values,
             const nb::object& forbidden, int logprobs) {
            auto rows = std::make_shared<SamplingRows>(
                SamplingRows{.temperature = copied(temperature),
                             .top_p = copied(top_p),
                             .min_p = copied(min_p),
                             .typical_p = copied(typical_p),
                             .repetition = copied(repetition),
                             .presence = copied(presence),
                             .frequency = copied(frequency),
                             .uniform = copied(uniform),
                             .top_k = copied(top_k),
                             .history = copied(history),
                             .generated = {},
                             .bias_rows = copied(bias_rows),
                             .bias_tokens = copied(bias_tokens),
                             .bias_values = copied(bias_values),
                             .validator = forbidden.is_none() ? Validator{} : validator_of(forbidden),
                             .logprobs = logprobs});
            if (generated) rows->generated.assign(generated->data(), generated->data() + generated->size());
            require_consistent(*rows);
            new (self) SharedRows(std::move(rows));
          },
          nb::kw_only(), "temperature"_a, "top_k"_a, "top_p"_a, "min_p"_a, "typical_p"_a, "repetition"_a, "presence"_a,
          "frequency"_a, "uniform"_a, "history"_a.none(), "generated"_a.none(), "bias_rows"_a.none(),
          "bias_tokens"_a.none(), "bias_values"_a.none(), "forbidden"_a.none(), "logprobs"_a);
}

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

void bind_engine(nb::module_& m) {
  nb::class_<SharedEngine>(m, "Engine")
      .def(
          "__init__",
          [](SharedEngine* self, int threads, const std::optional<std::string>& isa) {
            new (self)
                SharedEngine(std::make_shared<Engine>(threads > 0 ? threads : available_threads(), isa_named(isa)));
          },
          "threads"_a = 0, "isa"_a.none() = nb::none())
      .def_prop_ro("threads", [](const SharedEngine& self) { return self.value->pool().size(); })
      .def_prop_ro("isa", [](const SharedEngine& self) { return std::string(name(self.value->isa())); })
      .def(
          "has_int16", [](const SharedEngine& self, int64_t cols) { return has_int16(self.value->isa(), cols); },
          "cols"_a)
      .def("pack_int16", &pack_int16_matrix, "rows"_a, "cols"_a, "data"_a)
      .def("pack", &pack_matrix, "type"_a, "rows"_a, "cols"_a, "data"_a, "scale"_a.none() = nb::none(),
           "scale_rows"_a = 0, "scale_cols"_a = 0, "absmax"_a.none() = nb::none(), "absmax_block"_a = 0,
           "map"_a.none() = nb::none(), "pause"_a.none() = nb::none());
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
  mlxr::bind_adapters(m);
  mlxr::bind_steps(m);
  mlxr::bind_engine(m);
  mlxr::bind_latent(m);
  mlxr::bind_recurrent(m);
}
