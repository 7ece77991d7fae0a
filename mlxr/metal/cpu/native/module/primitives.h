// MLX primitives over the engine.
//
// The layers of a model are ONE primitive. An attention or MLP half that is applied to the output of an unevaluated
// primitive of this kind replaces it by a primitive with one operation more, instead of adding a node to the graph. So
// embedding and layers of a step are a single task of MLX's stream and a single parallel region, and rows between the
// halves lie in the engine's scratch memory. Logits, plain products and what else uses the layers' output are
// primitives of their own, and several of them share it. (Rows between two halves that something else uses too are
// computed again from the start, which gives the same bits and writes the same page contents.)
//
// Operations write pages in place, outside MLX's view of data. That is sound because of one order: MLX runs the tasks
// of a CPU stream one after another, in the order in which evaluation submitted them, and only tasks of one stream
// access a pool. When step N + 1 is submitted while step N runs, N + 1's tasks stand behind all of N's, so what N
// writes is there, and nothing that N reads is overwritten early. Page copies wait in the pool until the next layers
// that use it, which run them first. A step may write pages without any output that depends on them (a prefill chunk
// without logits); the pool keeps the newest array whose evaluation writes to it (`last_write`), and `barrier` hands it
// out to be evaluated with the step. Memory stays valid because tasks share ownership of the pool, the weights and the
// engine, and MLX keeps inputs and outputs of a task alive until it ran.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <mlx/mlx.h>
#include <mlx/primitives.h>

#include "ops/batch.h"
#include "ops/operation.h"
#include "ops/page_pool.h"
#include "ops/per_layer.h"
#include "ops/sampling.h"

namespace mlxr {

namespace mx = mlx::core;

using EnginePtr = std::shared_ptr<Engine>;

/// A page pool as Python holds it: its memory, and what the next step still has to do about it.
struct PoolHandle {
  std::shared_ptr<PagePool> pages;
  std::vector<PageCopy> copies;         // no operation makes them yet
  std::optional<mx::array> last_write;  // newest array whose evaluation writes to the pool
};
using PoolPtr = std::shared_ptr<PoolHandle>;

/// Whether an operation may be fused with those that make its input.
enum class Fuse { Yes, No };

using AdaptersPtr = std::shared_ptr<const AdapterRows>;

/// The next operation on `x` (rows of float32, or nothing for an operation that makes its rows from `ids` alone).
/// `adapters`: of the rows; those of the operations that it is fused with, where null. Throws std::invalid_argument for
/// arrays of the wrong type or rank.
mx::array append(const EnginePtr& engine, const std::optional<mx::array>& x, std::shared_ptr<const Operation> operation,
                 const std::optional<mx::array>& ids, int64_t out_rows, int64_t out_width, Fuse fuse,
                 const PoolPtr& pool = nullptr, AdaptersPtr adapters = nullptr);

/// Page copies that are due, as an operation to fuse with the next ones; null if there are none.
std::shared_ptr<const Operation> due_copies(const PoolPtr& pool);

/// Of the operations that will make `x`, the latest that leaves per-layer numbers; null if there is none.
const PerLayerEmbedding* per_layer_embedding(const EnginePtr& engine, const mx::array& x);

/// What the layers of a model do at every step, whatever its batch.
class Program;

/// The operations that will make `x` from tokens; null if they are not one primitive whose only input is the tokens.
std::shared_ptr<const Program> record(const EnginePtr& engine, const mx::array& x);

/// The same operations on another step's tokens, at the cost of one call instead of one for every layer's half.
mx::array replay(const EnginePtr& engine, const Program& program, const mx::array& tokens,
                 const std::shared_ptr<const Batch>& batch, const PoolPtr& pool);

/// Arrays to evaluate so that everything asked of the pool happens.
std::vector<mx::array> barrier(const EnginePtr& engine, const PoolPtr& pool);

/// Tokens, then log-probabilities, then alternatives and theirs, as far as asked for.
std::vector<mx::array> sample_rows(const EnginePtr& engine, const mx::array& logits,
                                   std::shared_ptr<const SamplingRows> rows);
std::vector<mx::array> row_logprobs(const EnginePtr& engine, const mx::array& logits, const mx::array& tokens,
                                    int alternatives);

}  // namespace mlxr
