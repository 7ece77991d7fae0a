// The Mamba-2 half of a layer: out = x + output(norm(silu(z) * scan(silu(convolution(x, B, C)), dt))).
#pragma once

#include "ops/recurrence.h"
#include "ops/sequence_states.h"

namespace mlxr {

/// Meaning of the parts as in mlxr.metal.specs.Mamba2Spec and mlxr.metal.weights.Mamba2Weights. A sequence's state is
/// the convolution's, then [heads][state_size][head_dim].
struct Mamba2Layer {
  RecurrentHalf half;
  Convolution convolution;
  Vector decay, skip, step_bias, gate_norm;
  int heads, head_dim, groups, state_size;
  float gate_eps, least_step, most_step;
  float gate_scale = 1.0f, output_scale = 1.0f;

  int64_t inner() const { return int64_t{heads} * head_dim; }
  int64_t state_numbers() const { return convolution.state_numbers() + inner() * state_size; }
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

class Mamba2Operation : public Operation {
 public:
  /// `index`: the layer's number in the model. Throws std::invalid_argument where batch and pool do not fit it.
  Mamba2Operation(std::shared_ptr<const Mamba2Layer> layer, const std::shared_ptr<const Batch>& batch,
                  const std::shared_ptr<const PagePool>& pool, int index);
  bool in_place() const override { return true; }
  StepMaker for_steps() const override;
  bool keeps() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  void convolve(const Context&, const SequenceState&, int64_t begin, int64_t end) const;
  void scan(const Context&, const SequenceState&, int head) const;
  void gate(const Context&, int64_t row) const;

  std::shared_ptr<const Mamba2Layer> layer_;
  SequenceStates states_;
  int index_;
};

}  // namespace mlxr
