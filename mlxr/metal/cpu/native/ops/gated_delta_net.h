// The gated delta rule's half of a layer: out = x + output(silu(gate) * norm(delta rule(silu(convolution(q, k, v))))).
#pragma once

#include "ops/recurrence.h"
#include "ops/sequence_states.h"

namespace mlxr {

/// Meaning of the parts as in mlxr.metal.specs.GatedDeltaNetSpec and mlxr.metal.weights.GatedDeltaNetWeights. A
/// sequence's state is the convolution's, then for each value head [key_dim][kDeltaColumns] of its columns after
/// another, the last of them as wide as is left.
struct GatedDeltaNetLayer {
  MatrixPtr query_key_value, gate, alpha, beta, output;
  Convolution convolution;
  Vector decay, alpha_bias, head_norm, norm;
  Vector query_scale, key_scale;  // what a root mean square norm is multiplied by to make a length
  int key_heads, value_heads, key_dim, value_dim;
  bool tiled;
  float norm_eps;

  int64_t keys() const { return int64_t{key_heads} * key_dim; }
  int64_t values() const { return int64_t{value_heads} * value_dim; }
  int64_t state_numbers() const { return convolution.state_numbers() + values() * key_dim; }
  int key_head(int value_head) const { return tiled ? value_head % key_heads : value_head / (value_heads / key_heads); }
  unsigned input_needs() const { return needs(*query_key_value) | needs(*gate) | needs(*alpha) | needs(*beta); }
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

class GatedDeltaNetOperation : public Operation {
 public:
  /// `index`: the layer's number in the model. Throws std::invalid_argument where batch and pool do not fit it.
  GatedDeltaNetOperation(std::shared_ptr<const GatedDeltaNetLayer> layer, const std::shared_ptr<const Batch>& batch,
                         const std::shared_ptr<const PagePool>& pool, int index);
  bool in_place() const override { return true; }
  StepMaker for_steps() const override;
  bool keeps() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  void project_in(Team&, const Context&, const Operands&) const;
  void convolve(const Context&, const SequenceState&, int head) const;
  void weigh(const Context&, int64_t row) const;
  void mix(const Context&, const SequenceState&, int item, float* scratch) const;
  void project_out(Team&, const Context&, const Operands&) const;
  int blocks() const { return (layer_->value_dim + kDeltaColumns - 1) / kDeltaColumns; }

  std::shared_ptr<const GatedDeltaNetLayer> layer_;
  SequenceStates states_;
  int index_;
  std::vector<int> longest_first_;  // sequences that have rows
};

}  // namespace mlxr
