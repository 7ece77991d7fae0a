// The module's layers: what their parts are, made once a model.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <string>

#include "module/shared.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

/// A factor that a model may have; 1 where it has none.
float number_of(const MaybeArray& a) {
  const Vector values = vector_of(a);
  return values.empty() ? 1.0f : values.front();
}

Nonlinearity nonlinearity_named(const std::string& name) {
  if (name == "silu") return Nonlinearity::Silu;
  if (name == "gelu_tanh") return Nonlinearity::GeluTanh;
  if (name == "gelu") return Nonlinearity::Gelu;
  if (name == "swiglu_oai") return Nonlinearity::SwigluOai;
  if (name == "relu_squared") return Nonlinearity::ReluSquared;
  throw std::invalid_argument("unknown activation " + name);
}

RowNorm norm_of(const MaybeArray& weight, const MaybeArray& bias, bool centred, float eps) {
  return {vector_of(weight), vector_of(bias), centred, eps};
}

}  // namespace

void bind_layers(nb::module_& m) {
  nb::class_<SharedRope>(m, "Rope").def("__init__", [](SharedRope* self, bool neighbours,
                                                       std::vector<float> inverse_frequencies, float magnitude) {
    new (self) SharedRope(std::make_shared<const Rope>(Rope{neighbours, std::move(inverse_frequencies), magnitude}));
  });
  nb::class_<SharedAttention>(m, "AttentionLayer")
      .def(
          "__init__",
          [](SharedAttention* self, const SharedMatrix& query, const SharedMatrix* key, const SharedMatrix* value,
             const SharedMatrix& output, const SharedMatrix* gate, bool head_gates, bool softplus,
             const MaybeArray& norm, const MaybeArray& norm_bias, bool centred, const MaybeArray& query_norm,
             const MaybeArray& key_norm, const MaybeArray& post_norm, const MaybeArray& query_bias,
             const MaybeArray& key_bias, const MaybeArray& value_bias, const MaybeArray& output_bias,
             const MaybeArray& sinks, int heads, int kv_heads, int head_dim, int window, bool causal, bool norm_values,
             int kv_layer, bool chunked, const SharedRope* rope, bool rope_first, float temperature,
             int temperature_length, int temperature_offset, float scale, float norm_eps, float softcap, Vector alibi) {
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
                               .kv_layer = kv_layer,
                               .head_gates = head_gates,
                               .softplus = softplus});
            layer->check();
            new (self) SharedAttention(std::move(layer));
          },
          nb::kw_only(), "query"_a, "key"_a.none(), "value"_a.none(), "output"_a, "gate"_a.none(), "head_gates"_a,
          "softplus"_a, "norm"_a.none(), "norm_bias"_a.none(), "centred"_a, "query_norm"_a.none(), "key_norm"_a.none(),
          "post_norm"_a.none(), "query_bias"_a.none(), "key_bias"_a.none(), "value_bias"_a.none(),
          "output_bias"_a.none(), "sinks"_a.none(), "heads"_a, "kv_heads"_a, "head_dim"_a, "window"_a, "causal"_a,
          "norm_values"_a, "kv_layer"_a, "chunked"_a, "rope"_a.none(), "rope_first"_a, "temperature"_a,
          "temperature_length"_a, "temperature_offset"_a, "scale"_a, "norm_eps"_a, "softcap"_a, "alibi"_a);
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

}  // namespace mlxr
