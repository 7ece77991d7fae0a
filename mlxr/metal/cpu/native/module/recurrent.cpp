// The module's recurrent mixers.

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>

#include "module/shared.h"
#include "ops/gated_delta_net.h"
#include "ops/mamba2.h"
#include "ops/short_conv.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

using SharedShortConv = Shared<const ShortConvLayer>;
using SharedGatedDeltaNet = Shared<const GatedDeltaNetLayer>;
using SharedMamba2 = Shared<const Mamba2Layer>;

void bind_short_conv(nb::module_& m) {
  nb::class_<SharedShortConv>(m, "ShortConvLayer")
      .def(
          "__init__",
          [](SharedShortConv* self, const SharedMatrix& input, const SharedMatrix& output, const mx::array& convolution,
             const MaybeArray& norm, const MaybeArray& input_bias, const MaybeArray& convolution_bias,
             const MaybeArray& output_bias, const MaybeArray& post_norm, int taps, float norm_eps) {
            auto layer = std::make_shared<ShortConvLayer>(
                ShortConvLayer{.half = {.input = input.value,
                                        .output = output.value,
                                        .norm = vector_of(norm),
                                        .input_bias = vector_of(input_bias),
                                        .output_bias = vector_of(output_bias),
                                        .norm_eps = norm_eps,
                                        .post_norm = vector_of(post_norm)},
                               .convolution = {vector_of(convolution), vector_of(convolution_bias), taps}});
            layer->check();
            new (self) SharedShortConv(std::move(layer));
          },
          nb::kw_only(), "input"_a, "output"_a, "convolution"_a, "norm"_a.none(), "input_bias"_a.none(),
          "convolution_bias"_a.none(), "output_bias"_a.none(), "post_norm"_a.none(), "taps"_a, "norm_eps"_a);
  m.def(
      "short_conv",
      [](const SharedEngine& engine, const mx::array& x, const SharedShortConv& layer, const SharedBatch& batch,
         const SharedPool* pool, int index) {
        return append_mixer(engine, x, batch, pool, layer.value->half.input->cols, [&](const auto& pages) {
          return std::make_shared<const ShortConvOperation>(layer.value, batch.value, pages, index);
        });
      },
      "engine"_a, "x"_a, "layer"_a, "batch"_a, "pool"_a.none(), "index"_a);
}

void bind_mamba2(nb::module_& m) {
  nb::class_<SharedMamba2>(m, "Mamba2Layer")
      .def(
          "__init__",
          [](SharedMamba2* self, const SharedMatrix& input, const SharedMatrix& output, const mx::array& convolution,
             const mx::array& decay, const mx::array& skip, const mx::array& step_bias, const MaybeArray& norm,
             const MaybeArray& gate_norm, const MaybeArray& input_bias, const MaybeArray& convolution_bias,
             const MaybeArray& output_bias, int heads, int head_dim, int groups, int state_size, int taps,
             float gate_eps, float gate_scale, float output_scale, float least_step, float most_step, float norm_eps,
             bool kept) {
            auto layer = std::make_shared<Mamba2Layer>(
                Mamba2Layer{.half = {.input = input.value,
                                     .output = output.value,
                                     .norm = vector_of(norm),
                                     .input_bias = vector_of(input_bias),
                                     .output_bias = vector_of(output_bias),
                                     .norm_eps = norm_eps,
                                     .kept = kept},
                            .convolution = {vector_of(convolution), vector_of(convolution_bias), taps},
                            .decay = vector_of(decay),
                            .skip = vector_of(skip),
                            .step_bias = vector_of(step_bias),
                            .gate_norm = vector_of(gate_norm),
                            .heads = heads,
                            .head_dim = head_dim,
                            .groups = groups,
                            .state_size = state_size,
                            .gate_eps = gate_eps,
                            .least_step = least_step,
                            .most_step = most_step,
                            .gate_scale = gate_scale,
                            .output_scale = output_scale});
            layer->check();
            new (self) SharedMamba2(std::move(layer));
          },
          nb::kw_only(), "input"_a, "output"_a, "convolution"_a, "decay"_a, "skip"_a, "step_bias"_a, "norm"_a.none(),
          "gate_norm"_a.none(), "input_bias"_a.none(), "convolution_bias"_a.none(), "output_bias"_a.none(), "heads"_a,
          "head_dim"_a, "groups"_a, "state_size"_a, "taps"_a, "gate_eps"_a, "gate_scale"_a, "output_scale"_a,
          "least_step"_a, "most_step"_a, "norm_eps"_a, "kept"_a);
  m.def(
      "mamba2",
      [](const SharedEngine& engine, const mx::array& x, const SharedMamba2& layer, const SharedBatch& batch,
         const SharedPool* pool, int index) {
        return append_mixer(engine, x, batch, pool, layer.value->half.input->cols, [&](const auto& pages) {
          return std::make_shared<const Mamba2Operation>(layer.value, batch.value, pages, index);
        });
      },
      "engine"_a, "x"_a, "layer"_a, "batch"_a, "pool"_a.none(), "index"_a);
}

void bind_gated_delta_net(nb::module_& m) {
  nb::class_<SharedGatedDeltaNet>(m, "GatedDeltaNetLayer")
      .def(
          "__init__",
          [](SharedGatedDeltaNet* self, const SharedMatrix& query_key_value, const SharedMatrix& gate,
             const SharedMatrix& alpha, const SharedMatrix& beta, const SharedMatrix& output,
             const mx::array& convolution, const mx::array& decay, const mx::array& alpha_bias,
             const mx::array& head_norm, const mx::array& norm, int key_heads, int value_heads, int key_dim,
             int value_dim, int taps, bool tiled, float norm_eps) {
            const auto dims = static_cast<size_t>(std::max(key_dim, 1));
            const auto size = static_cast<float>(dims);
            auto layer = std::make_shared<GatedDeltaNetLayer>(
                GatedDeltaNetLayer{.query_key_value = query_key_value.value,
                                   .gate = gate.value,
                                   .alpha = alpha.value,
                                   .beta = beta.value,
                                   .output = output.value,
                                   .convolution = {vector_of(convolution), {}, taps},
                                   .decay = vector_of(decay),
                                   .alpha_bias = vector_of(alpha_bias),
                                   .head_norm = vector_of(head_norm),
                                   .norm = vector_of(norm),
                                   .query_scale = Vector(dims, 1.0f / size),
                                   .key_scale = Vector(dims, 1.0f / std::sqrt(size)),
                                   .key_heads = key_heads,
                                   .value_heads = value_heads,
                                   .key_dim = key_dim,
                                   .value_dim = value_dim,
                                   .tiled = tiled,
                                   .norm_eps = norm_eps});
            layer->check();
            new (self) SharedGatedDeltaNet(std::move(layer));
          },
          nb::kw_only(), "query_key_value"_a, "gate"_a, "alpha"_a, "beta"_a, "output"_a, "convolution"_a, "decay"_a,
          "alpha_bias"_a, "head_norm"_a, "norm"_a, "key_heads"_a, "value_heads"_a, "key_dim"_a, "value_dim"_a, "taps"_a,
          "tiled"_a, "norm_eps"_a);
  m.def(
      "gated_delta_net",
      [](const SharedEngine& engine, const mx::array& x, const SharedGatedDeltaNet& layer, const SharedBatch& batch,
         const SharedPool* pool, int index) {
        return append_mixer(engine, x, batch, pool, layer.value->query_key_value->cols, [&](const auto& pages) {
          return std::make_shared<const GatedDeltaNetOperation>(layer.value, batch.value, pages, index);
        });
      },
      "engine"_a, "x"_a, "layer"_a, "batch"_a, "pool"_a.none(), "index"_a);
}

}  // namespace

void bind_recurrent(nb::module_& m) {
  bind_short_conv(m);
  bind_mamba2(m);
  bind_gated_delta_net(m);
}

}  // namespace mlxr
