// The latent attention half of a layer: one vector a token, which is every head's key and, but for its turned end,
// value.
#pragma once

#include "ops/attention.h"
#include "ops/batch.h"
#include "ops/operation.h"
#include "ops/page_pool.h"

namespace mlxr {

/// Meaning of the parts as in mlxr.metal.weights.LatentWeights and mlxr.metal.specs.LatentSpec.
struct LatentLayer {
  MatrixPtr query_down, query, latent, key_up, value_up, output;
  Vector norm, query_norm, latent_norm;
  int heads, rank, plain_dims, rope_dims, value_dims;
  std::shared_ptr<const Rope> rope;
  Temperature temperature;
  float scale;
  float norm_eps;
  float latent_eps;

  int kept() const { return rank + rope_dims; }
  /// Numbers of a token's row in a page, whole groups of 16, zeros at the end.
  int row() const { return (kept() + kGroup - 1) / kGroup * kGroup; }
  int64_t queries() const { return int64_t{heads} * (plain_dims + rope_dims); }
  /// Query rows of some heads are computed together, as if these shared a key head with nobody else.
  AttentionShape shape() const;
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

class LatentOperation : public Operation {
 public:
  /// `index`: the layer's number in the model. Throws std::invalid_argument where the pool has no such layer.
  LatentOperation(std::shared_ptr<const LatentLayer> layer, std::shared_ptr<const Batch> batch,
                  std::shared_ptr<const PagePool> pool, int index);
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;
  StepMaker for_steps() const override;
  bool keeps() const override { return true; }

 private:
  struct Buffers;
  Buffers buffers(const Context&, const Operands&) const;
  int64_t item_floats() const;
  int64_t thread_floats(int64_t width) const;
  void rotate(const Context&, int token, float* numbers) const;
  void keep_token(const Context&, const Buffers&, int token, float* scratch) const;
  void take_query(const Context&, const Buffers&, int64_t token) const;
  void attend_item(const Context&, const Buffers&, const AttentionItem&, float* scratch) const;
  void merge_token(const Context&, const Buffers&, int token, float* scratch) const;
  void finish_row(const Partial& from, int row, float* out) const;

  std::shared_ptr<const LatentLayer> layer_;
  std::shared_ptr<const Batch> batch_;
  std::shared_ptr<const PagePool> pool_;
  int index_;
  PagePool::Place place_{0, 0};
  NumberType type_ = NumberType::Half;
  std::shared_ptr<const AttentionPlan> plan_;
  std::shared_ptr<const RopeTable> rope_;
};

}  // namespace mlxr
