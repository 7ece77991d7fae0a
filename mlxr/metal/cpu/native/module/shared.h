// How the parts of the Python module hold what they share with tasks of MLX's stream.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "module/primitives.h"
#include "ops/attention.h"
#include "ops/experts.h"
#include "ops/mlp.h"
#include "ops/per_layer.h"
#include "ops/rows.h"

namespace mlxr {

/// What Python holds: a share of an object that tasks of the stream's thread share too. nanobind's own shared_ptr
/// caster would not do: the last owner of such a pointer needs the interpreter's lock to let go of it, and tasks must
/// never wait for that.
template <class T>
struct Shared {
  std::shared_ptr<T> value;

  explicit Shared(std::shared_ptr<T> made) : value(std::move(made)) {}
};
using SharedEngine = Shared<Engine>;
using SharedMatrix = Shared<const Matrix>;
using SharedRope = Shared<const Rope>;
using SharedBatch = Shared<const Batch>;
using SharedPool = Shared<PoolHandle>;
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
std::shared_ptr<T> value_of(const Shared<T>* shared) {
  return shared != nullptr ? shared->value : nullptr;
}

using MaybeArray = std::optional<mx::array>;

template <class T>
using Numbers = nanobind::ndarray<const T, nanobind::c_contig, nanobind::device::cpu>;

template <class T>
std::vector<T> copied(const Numbers<T>& a) {
  return std::vector<T>(a.data(), a.data() + a.size());
}

template <class T>
std::vector<T> copied(const std::optional<Numbers<T>>& a) {
  return a ? copied(*a) : std::vector<T>{};
}

/// A norm weight or bias, copied: they are small, and kernels then need no array kept alive.
Vector vector_of(const MaybeArray& a);

/// The next operation on `x`, one row a token of `batch`, made by `make(pages)`; page copies that are due go before it.
template <class Make>
mx::array append_mixer(const SharedEngine& engine, const mx::array& x, const SharedBatch& batch,
                       const SharedPool* shared_pool, int64_t width, Make&& make) {
  const PoolPtr pool = value_of(shared_pool);
  if (x.ndim() != 2 || x.shape(0) != batch.value->tokens() || x.shape(1) != width) {
    throw std::invalid_argument("x must be [tokens, width]");
  }
  MaybeArray rows = x;
  if (auto copy = due_copies(pool)) {
    rows = append(engine.value, rows, std::move(copy), {}, x.shape(0), x.shape(1), Fuse::Yes, pool);
  }
  return append(engine.value, rows, make(pool != nullptr ? pool->pages : nullptr), {}, x.shape(0), x.shape(1),
                Fuse::Yes, pool, batch.value->adapters());
}

void bind_engine(nanobind::module_& m);
void bind_layers(nanobind::module_& m);
void bind_adapters(nanobind::module_& m);
void bind_pools(nanobind::module_& m);
void bind_steps(nanobind::module_& m);
void bind_operations(nanobind::module_& m);
void bind_latent(nanobind::module_& m);
void bind_recurrent(nanobind::module_& m);

}  // namespace mlxr
