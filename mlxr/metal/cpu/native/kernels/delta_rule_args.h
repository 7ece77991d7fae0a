// What the kernel of the gated delta rule is given.
#pragma once

#include <cstdint>

namespace mlxr {

/// The recurrence of one value head, of some columns of its state: S = decay[t] S, then S += key (x) beta[t] (value -
/// key S), then out = query S. `state` is [key_dim][columns].
struct DeltaRuleArgs {
  const float* query;
  const float* key;
  int64_t key_stride;  // from token to token, of queries too
  const float* value;
  int64_t value_stride;
  const float* decay;
  const float* beta;
  int64_t factor_stride;
  int key_dim;
  int columns;  // at most kDeltaColumns
  bool begins;  // whatever the state is, zeros stand for it
  float* state;
  float* scratch;  // key_dim * kDeltaColumns floats
  float* out;
  int64_t out_stride;
};

/// Most columns that are computed at once: what the first cache holds of a state.
constexpr int kDeltaColumns = 64;

}  // namespace mlxr
