// Which experts of a mixture a token uses.
#pragma once

#include <cstdint>

namespace mlxr {

/// How tokens choose experts; meaning as in mlxr.metal.specs.ExpertsSpec.
struct Routing {
  int experts, used;
  bool sigmoid;     // scores by themselves, else by softmax
  bool normalized;  // weights of those chosen add up to 1
  float scale;      // of the weights
  int groups, used_groups;
  int group_best;  // how many of its experts a group is ranked by, 1 or 2

  /// Chooses for one token from its router's `logits`, which it may overwrite: experts in falling order of their score
  /// (equal ones by number), and what their outputs are multiplied by. `bias` [experts] counts for the choice alone,
  /// null for none; `scratch` has room for as many numbers.
  void choose(float* logits, const float* bias, float* scratch, int32_t* chosen, float* weights) const;
};

}  // namespace mlxr
