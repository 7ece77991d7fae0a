// The module's recurrent mixers.

#include <nanobind/nanobind.h>

#include "module/shared.h"
#include "ops/mamba2.h"
#include "ops/short_conv.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

using SharedShortConv = Shared<const ShortConvLayer>;
using SharedMamba2 = Shared<const Mamba2Layer>;

void bind_short_conv(nb::module_& m) {
  nb::class_<SharedShortConv>(m, "ShortConvLayer")
      .def(
          "__init__",
          [](SharedShortConv* self, const SharedMatrix& input, const SharedMatrix& output, const mx::array& convolution,
             const MaybeArray& norm, const MaybeArray& input_bias, const MaybeArray& convolution_bias,
             const MaybeArray& output_bias, int taps, float norm_eps) {
            auto layer = std::make_shared<ShortConvLayer>(
                ShortConvLayer{.half = {.input = input.value,
                                        .output = output.value,
                                        .norm = vector_of(norm),
                                        .input_bias = vector_of(input_bias),
                                        .output_bias = vector_of(output_bias),
                                        .norm_eps = norm_eps},
                               .convolution = {vector_of(convolution), vector_of(convolution_bias), taps}});
            layer->check();
            new (self) SharedShortConv(std::move(layer));
          },
          nb::kw_only(), "input"_a, "output"_a, "convolution"_a, "norm"_a.none(), "input_bias"_a.none(),
          "convolution_bias"_a.none(), "output_bias"_a.none(), "taps"_a, "norm_eps"_a);
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
             float least_step, float most_step, float norm_eps) {
            auto layer = std::make_shared<Mamba2Layer>(
                Mamba2Layer{.half = {.input = input.value,
                                     .output = output.value,
                                     .norm = vector_of(norm),
                                     .input_bias = vector_of(input_bias),
                                     .output_bias = vector_of(output_bias),
                                     .norm_eps = norm_eps},
                            .convolution = {vector_of(convolution), vector_of(convolution_bias), taps},
                            .decay = vector_of(decay),
                            .skip = vector_of(skip),
                            .step_bias = vector_of(step_bias),
                            .gate_norm = vector_of(gate_norm),
                            .heads = heads,
                            .head_dim = head_dim,
                            .groups = groups,
                            .state_size = state_size,
                            .least_step = least_step,
                            .most_step = most_step});
            layer->check();
            new (self) SharedMamba2(std::move(layer));
          },
          nb::kw_only(), "input"_a, "output"_a, "convolution"_a, "decay"_a, "skip"_a, "step_bias"_a, "norm"_a.none(),
          "gate_norm"_a.none(), "input_bias"_a.none(), "convolution_bias"_a.none(), "output_bias"_a.none(), "heads"_a,
          "head_dim"_a, "groups"_a, "state_size"_a, "taps"_a, "least_step"_a, "most_step"_a, "norm_eps"_a);
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

}  // namespace

void bind_recurrent(nb::module_& m) {
  bind_short_conv(m);
  bind_mamba2(m);
}

}  // namespace mlxr
