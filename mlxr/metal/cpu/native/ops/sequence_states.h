// Where a step's sequences have the states that one recurrent layer keeps of them.
#pragma once

#include "ops/batch.h"
#include "ops/page_pool.h"

namespace mlxr {

/// A sequence's tokens [first, first + tokens) of the step, and its state, which the step changes in place. Where it
/// `begins`, whatever lies there stands for zeros.
struct SequenceState {
  int first;
  int tokens;
  bool begins;
  float* state;
};

class SequenceStates {
 public:
  /// `numbers`: of one state. Throws std::invalid_argument where batch and pool have no such states for `layer`.
  SequenceStates(std::shared_ptr<const Batch> batch, std::shared_ptr<const PagePool> pool, int layer, int64_t numbers);

  int count() const { return batch_->sequences(); }
  SequenceState of(int sequence) const;

 private:
  std::shared_ptr<const Batch> batch_;
  std::shared_ptr<const PagePool> pool_;
  PagePool::Place place_;
  int64_t numbers_;
};

}  // namespace mlxr
