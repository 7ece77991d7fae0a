// One coarse operation on rows of activations, and the engine that runs several fused in one parallel region.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/threadpool.h"
#include "kernels/kernel_table.h"
#include "ops/low_rank.h"
#include "ops/workspace.h"

namespace mlxr {

using MatrixPtr = std::shared_ptr<const Matrix>;
/// A norm weight or bias; empty where the model has none.
using Vector = std::vector<float>;

inline const float* data_or_null(const Vector& v) { return v.empty() ? nullptr : v.data(); }

/// The norm on an operation's input: RMS, or a layer norm where `centred`, whose bias may be empty. No weight: none.
struct RowNorm {
  Vector weight, bias;
  bool centred = false;
  float eps = 0.0f;

  bool empty() const { return weight.empty(); }
  bool fits(int64_t width) const {
    const auto right = [width](const Vector& v) { return v.empty() || static_cast<int64_t>(v.size()) == width; };
    return right(weight) && right(bias) && (bias.empty() || centred);
  }
  /// y [width] = norm(x); there must be a weight.
  void apply(const KernelTable& kernels, const float* x, float* y) const {
    const int width = static_cast<int>(weight.size());
    if (centred) {
      kernels.layer_norm(x, weight.data(), data_or_null(bias), width, eps, y);
    } else {
      kernels.rms_norm(x, weight.data(), width, eps, y);
    }
  }
};

/// Where an operation reads and writes. `in` and `out` may be the same for operations that keep
/// their width.
struct Operands {
  const float* in;     // [rows, width]
  const int32_t* ids;  // tokens or rows to pick, for operations that take them
  float* out;          // [out_rows, out_width]
  int64_t rows;
  int64_t width;
  int64_t out_rows;
  int64_t out_width;
};

struct Context {
  const KernelTable& kernels;
  Workspace& workspace;
  Isa isa;
  int threads;
  const AdapterRows* adapters;  // of the step's rows; null where none has any

  /// Looks up what adapters add at `places`, and reserves what that takes for so many rows.
  void prepare_adapters(const LowRankProducts::Places& places, int64_t rows) const;
  /// What was looked up for places that begin with `place`; null where nothing is added.
  const LowRankProducts* added(int place) const {
    if (adapters == nullptr || place < 0) return nullptr;
    const LowRankProducts& products = adapters->products(place);
    return products.any() ? &products : nullptr;
  }
};

class Batch;
class Operation;
class PagePool;

/// Makes an operation for a step's batch and the pool, which is null where nothing is kept.
using StepMaker = std::function<std::shared_ptr<const Operation>(const std::shared_ptr<const Batch>&,
                                                                 const std::shared_ptr<const PagePool>&)>;

class Operation {
 public:
  virtual ~Operation() = default;
  /// Whether `out` may be `in`.
  virtual bool in_place() const = 0;
  /// Reserves scratch; one thread.
  virtual void prepare(const Context&, const Operands&) const {}
  /// What makes this operation for other steps, where it depends on the batch or the pool; it holds neither. Empty for
  /// an operation that is the same at every step.
  virtual StepMaker for_steps() const { return {}; }
  /// Whether later tokens, or other rows of the step, read what it makes of each row beside `out`.
  virtual bool keeps() const { return false; }
  /// Called by every thread of the team. Whatever the operation leaves unfinished at its end must be guarded by the
  /// caller's barrier.
  virtual void run(Team&, const Context&, const Operands&) const = 0;
};

/// An operation among others that are fused: where its ids stand among their inputs (-1: none), and its output's shape.
struct FusedOperation {
  std::shared_ptr<const Operation> operation;
  int ids = -1;
  int64_t out_rows = 0;
  int64_t out_width = 0;
};

class Engine {
 public:
  Engine(int threads, Isa isa) : pool_(threads), isa_(isa), kernels_(kernel_table(isa)) {}

  ThreadPool& pool() { return pool_; }
  Isa isa() const { return isa_; }
  const KernelTable& kernels() const { return kernels_; }
  Workspace& workspace() { return workspace_; }

  /// Runs the operations one after another on rows x [rows, width] (null when the first needs none); the last writes
  /// `out`. `adapters`: of the rows, null for none. One call at a time.
  void run(const std::vector<FusedOperation>& operations, const float* x, int64_t rows, int64_t width,
           const std::vector<const int32_t*>& ids, float* out, const AdapterRows* adapters = nullptr);

 private:
  ThreadPool pool_;
  Isa isa_;
  const KernelTable& kernels_;
  Workspace workspace_;
};

}  // namespace mlxr
