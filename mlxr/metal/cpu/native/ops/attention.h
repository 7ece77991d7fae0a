// The attention half of a layer: out = x + post_norm(output(attention(rope(norm(x))))).
#pragma once

#include "ops/batch.h"
#include "ops/operation.h"
#include "ops/page_pool.h"

namespace mlxr {

/// Queries that grow with their position; meaning as in mlxr.metal.specs.Temperature. Length 0: they do not.
struct Temperature {
  float scale;
  int length, offset;

  float at(int position) const;
};

/// Meaning of the parts as in mlxr.metal.weights.AttentionWeights and mlxr.metal.specs.AttentionSpec; `key`, `value`
/// and `gate` may be null.
struct AttentionLayer {
  MatrixPtr query, key, value, output, gate;
  RowNorm norm;
  Vector query_norm, key_norm;  // of a head, or of all heads side by side
  Vector post_norm;
  Vector query_bias, key_bias, value_bias, output_bias, sinks;
  AttentionShape shape;
  std::shared_ptr<const Rope> rope;
  bool rope_first;  // head norms come behind the rope
  Temperature temperature;
  float scale;
  float norm_eps;  // of all norms but the first
  float softcap;
  Vector alibi;                               // what a key's distance counts, one a head; empty for nothing
  Vector value_norm;                          // of a head
  int kv_layer = -1;                          // the layer whose keys and values it reads; -1: its own
  bool head_gates = false, softplus = false;  // one gate a head; softplus instead of the sigmoid

  /// Whether there are all matrices but a gate, kept as 16-bit codes.
  bool all_int16() const {
    return query->int16 && key != nullptr && key->int16 && value != nullptr && value->int16 && output->int16 &&
           gate == nullptr;
  }
  int64_t gates() const { return head_gates ? shape.heads : int64_t{shape.heads} * shape.head_dim; }
  /// Forms of the inputs that its projections multiply with.
  unsigned input_needs() const {
    unsigned forms = needs(*query);
    for (const MatrixPtr& m : {key, value, gate}) forms |= m != nullptr ? needs(*m) : 0u;
    return forms;
  }
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

class AttentionOperation : public Operation {
 public:
  /// `index`: the layer's number in the model. `pool` null: attention within the step alone.
  AttentionOperation(std::shared_ptr<const AttentionLayer> layer, std::shared_ptr<const Batch> batch,
                     std::shared_ptr<const PagePool> pool, int index);
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;
  StepMaker for_steps() const override;
  bool keeps() const override { return layer_->key != nullptr; }

 private:
  struct Buffers;
  int place(AdapterRole role) const;
  Buffers buffers(const Context&, const Operands&) const;
  PageShape page_shape() const {
    return {batch_->group(place_.group).page_size, layer_->shape.kv_heads, layer_->shape.head_dim, types_};
  }
  void turn_queries(const Context&, const Buffers&, int token) const;
  void store_token(const Context&, const Buffers&, int token) const;
  void shape_heads(const Context&, int token, const Vector& norm, int heads, float* all) const;
  void attend_item(const Context&, const Buffers&, const AttentionItem&, float* scratch) const;
  void gate_token(const Context&, const Buffers&, int64_t token) const;
  void merge_token(const Context&, const Buffers&, int token, float* scratch) const;
  void finish_row(const Partial& from, int row, int head, float* out) const;

  std::shared_ptr<const AttentionLayer> layer_;
  std::shared_ptr<const Batch> batch_;
  std::shared_ptr<const PagePool> pool_;
  int index_;
  PagePool::Place place_{0, 0};
  PageTypes types_;
  std::shared_ptr<const AttentionPlan> plan_;
  std::shared_ptr<const RopeTable> rope_;
};

}  // namespace mlxr
