// One coarse operation on rows of activations, and the engine that runs several fused in one parallel region.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/threadpool.h"
#include "kernels/kernel_table.h"
#include "ops/workspace.h"

namespace mlxr {

using MatrixPtr = std::shared_ptr<const Matrix>;
/// A norm weight or bias; empty where the model has none.
using Vector = std::vector<float>;

inline const float* data_or_null(const Vector& v) { return v.empty() ? nullptr : v.data(); }

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
};

class Operation {
 public:
  virtual ~Operation() = default;
  /// Whether `out` may be `in`.
  virtual bool in_place() const = 0;
  /// Reserves scratch; one thread.
  virtual void prepare(const Context&, const Operands&) const {}
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
  /// `out`. One call at a time.
  void run(const std::vector<FusedOperation>& operations, const float* x, int64_t rows, int64_t width,
           const std::vector<const int32_t*>& ids, float* out);

 private:
  ThreadPool pool_;
  Isa isa_;
  const KernelTable& kernels_;
  Workspace workspace_;
};

}  // namespace mlxr
