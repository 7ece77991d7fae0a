// The short convolution half of a layer (LFM2): out = x + output(c * convolution(b * v)), (b, c, v) = input(norm(x)).
#pragma once

#include "ops/recurrence.h"
#include "ops/sequence_states.h"

namespace mlxr {

/// Meaning of the parts as in mlxr.metal.weights.ShortConvWeights.
struct ShortConvLayer {
  RecurrentHalf half;
  Convolution convolution;

  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const { half.check(3 * convolution.channels, convolution.channels); }
};

class ShortConvOperation : public Operation {
 public:
  /// `index`: the layer's number in the model. Throws std::invalid_argument where batch and pool do not fit it.
  ShortConvOperation(std::shared_ptr<const ShortConvLayer> layer, const std::shared_ptr<const Batch>& batch,
                     const std::shared_ptr<const PagePool>& pool, int index);
  bool in_place() const override { return true; }
  StepMaker for_steps() const override;
  bool keeps() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::shared_ptr<const ShortConvLayer> layer_;
  SequenceStates states_;
  int index_;
};

}  // namespace mlxr
