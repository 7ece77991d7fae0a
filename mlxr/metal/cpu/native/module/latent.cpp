// The module's latent attention.

#include <nanobind/nanobind.h>

#include "module/shared.h"
#include "ops/latent.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {

using SharedLatent = Shared<const LatentLayer>;

void bind_latent(nb::module_& m) {
  nb::class_<SharedLatent>(m, "LatentLayer")
      .def(
          "__init__",
          [](SharedLatent* self, const SharedMatrix* query_down, const SharedMatrix& query, const SharedMatrix& latent,
             const SharedMatrix& key_up, const SharedMatrix& value_up, const SharedMatrix& output,
             const MaybeArray& norm, const MaybeArray& query_norm, const mx::array& latent_norm, int heads, int rank,
             int plain_dims, int rope_dims, int value_dims, const SharedRope* rope, float temperature,
             int temperature_length, int temperature_offset, float scale, float norm_eps, float latent_eps) {
            auto layer = std::make_shared<LatentLayer>(
                LatentLayer{.query_down = value_of(query_down),
                            .query = query.value,
                            .latent = latent.value,
                            .key_up = key_up.value,
                            .value_up = value_up.value,
                            .output = output.value,
                            .norm = vector_of(norm),
                            .query_norm = vector_of(query_norm),
                            .latent_norm = vector_of(latent_norm),
                            .heads = heads,
                            .rank = rank,
                            .plain_dims = plain_dims,
                            .rope_dims = rope_dims,
                            .value_dims = value_dims,
                            .rope = value_of(rope),
                            .temperature = {temperature, temperature_length, temperature_offset},
                            .scale = scale,
                            .norm_eps = norm_eps,
                            .latent_eps = latent_eps});
            layer->check();
            new (self) SharedLatent(std::move(layer));
          },
          nb::kw_only(), "query_down"_a.none(), "query"_a, "latent"_a, "key_up"_a, "value_up"_a, "output"_a,
          "norm"_a.none(), "query_norm"_a.none(), "latent_norm"_a, "heads"_a, "rank"_a, "plain_dims"_a, "rope_dims"_a,
          "value_dims"_a, "rope"_a.none(), "temperature"_a = 0.0f, "temperature_length"_a = 0,
          "temperature_offset"_a = 0, "scale"_a, "norm_eps"_a, "latent_eps"_a);
  m.def(
      "latent_attention",
      [](const SharedEngine& engine, const mx::array& x, const SharedLatent& layer, const SharedBatch& batch,
         const SharedPool* pool, int index) {
        return append_mixer(engine, x, batch, pool, layer.value->latent->cols, [&](const auto& pages) {
          return std::make_shared<const LatentOperation>(layer.value, batch.value, pages, index);
        });
      },
      "engine"_a, "x"_a, "layer"_a, "batch"_a, "pool"_a.none(), "index"_a);
}

}  // namespace mlxr
