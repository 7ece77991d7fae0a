#include "ops/sequence_states.h"

#include "base/check.h"

namespace mlxr {

SequenceStates::SequenceStates(std::shared_ptr<const Batch> batch, std::shared_ptr<const PagePool> pool, int layer,
                               int64_t numbers)
    : batch_(std::move(batch)), pool_(std::move(pool)), numbers_(numbers) {
  require(pool_ != nullptr, "a layer with states needs a pool that keeps them");
  place_ = pool_->place(layer);
  require(place_.group >= 0, "the pool has no such layer");
  require(place_.group < batch_->groups(), "the batch has no tables for the layer's cache group");
  const GroupTables& tables = batch_->group(place_.group);
  const GroupPages& pages = pool_->group(place_.group);
  require(tables.states || batch_->tokens() == 0, "the layer's cache group keeps keys and values, not states");
  require(pages.parts() == state_parts(numbers), "layer and pool differ in the size of a state");
  require(tables.pages_used <= pages.pages(), "the batch uses a page beyond the pool");
}

SequenceState SequenceStates::of(int sequence) const {
  const int first = batch_->query_start(sequence), tokens = batch_->query_start(sequence + 1) - first;
  if (tokens == 0) return {first, 0, false, nullptr};
  float* const states = pool_->group(place_.group).part<float>(place_.layer, 0);
  return {first, tokens, batch_->position(first) == 0, states + *batch_->pages(place_.group, sequence) * numbers_};
}

}  // namespace mlxr
