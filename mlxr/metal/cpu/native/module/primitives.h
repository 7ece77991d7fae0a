// MLX primitives over the engine.
//
// The layers of a model are ONE primitive: an attention or MLP half applied to rows that an unevaluated chain will make
// continues that chain instead of adding a node to the graph. Embedding and layers of a step so become a single task of
// MLX's stream and a single parallel region, whose rows between the halves live in the engine's scratch memory. What
// leaves the layers is a node of its own: logits, norms and plain products start anew from it, so several of them share
// it. (Rows between two halves that something else uses as well still work: they are computed again from the chain's
// start, which gives the same bits and writes the same page contents.)
//
// Pages are written in place, outside MLX's view of data. That is sound because of one order: MLX runs the tasks of a
// CPU stream one after another, in the order in which evaluation submitted them, and every access to a pool is inside
// such tasks of one stream. With step N running while step N + 1 is submitted, N + 1's tasks stand behind all of N's,
// so what N writes is there, and nothing N reads is overwritten early. Page copies wait in the pool until the next
// chain that touches it, and run as that chain's part. What a step writes but no output depends on (a prefill chunk
// without logits) is kept alive by the pool's tail: the newest array of a chain that writes to it, which `barrier`
// hands out to be evaluated with the step. Memory stays valid because tasks share ownership of the pool, the weights
// and the engine, and MLX keeps inputs and outputs of a task alive until it ran.
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
#include "ops/sampling.h"

namespace mlxr {

namespace mx = mlx::core;

using EnginePtr = std::shared_ptr<Engine>;

/// A page pool as Python holds it: its memory, and what the next step still has to do about it.
struct PoolHandle {
  std::shared_ptr<const PagePool> pages;
  std::vector<std::pair<int64_t, int64_t>> copies;  // not yet part of a chain
  std::optional<mx::array> tail;                    // newest array whose chain writes to the pool
};
using PoolPtr = std::shared_ptr<PoolHandle>;

/// Whether an operation may become part of the chain that makes its input.
enum class Joins { Yes, No };

/// The next operation on `x` (rows of float32, or nothing for an operation that makes its rows from `ids` alone).
/// Throws std::invalid_argument for arrays of the wrong type or rank.
mx::array append(const EnginePtr& engine, const std::optional<mx::array>& x, std::shared_ptr<const Operation> operation,
                 const std::optional<mx::array>& ids, int64_t out_rows, int64_t out_width, Joins joins,
                 const PoolPtr& pool = nullptr);

/// Page copies that are due, as an operation for the next chain; null if there are none.
std::shared_ptr<const Operation> due_copies(const PoolPtr& pool);

/// What the layers of a model do at every step, whatever its batch.
class Program;

/// The operations that will make `x` from tokens; null if there is more to it than one chain that begins with them.
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
