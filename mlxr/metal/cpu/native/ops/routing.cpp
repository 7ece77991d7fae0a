#include "ops/routing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace mlxr {

void Routing::choose(float* logits, const float* bias, float* scratch, int32_t* chosen, float* weights) const {
  const float largest = *std::max_element(logits, logits + experts);
  float sum = 0.0f;
  for (int e = 0; e < experts; ++e) {
    logits[e] = sigmoid ? 1.0f / (1.0f + std::exp(-logits[e])) : std::exp(logits[e] - largest);
    sum += logits[e];
  }
  for (int e = 0; e < experts; ++e) {
    if (!sigmoid) logits[e] /= sum;
    scratch[e] = logits[e] + (bias != nullptr ? bias[e] : 0.0f);
  }
  if (groups > 1 && used_groups < groups) {
    // A group counts as much as its best expert or its two best; those of other groups can't be chosen.
    const int size = experts / groups;
    std::vector<float> value(static_cast<size_t>(groups));
    for (int g = 0; g < groups; ++g) {
      float best = -INFINITY, second = -INFINITY;
      for (int e = g * size; e < (g + 1) * size; ++e) {
        if (scratch[e] > best) {
          second = best;
          best = scratch[e];
        } else {
          second = std::max(second, scratch[e]);
        }
      }
      value[static_cast<size_t>(g)] = size > 1 && group_best > 1 ? best + second : best;
    }
    std::vector<int> order(static_cast<size_t>(groups));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return value[static_cast<size_t>(a)] > value[static_cast<size_t>(b)]; });
    for (int i = used_groups; i < groups; ++i) {
      const int g = order[static_cast<size_t>(i)];
      std::fill(scratch + g * size, scratch + (g + 1) * size, -INFINITY);
    }
  }
  float total = 0.0f;
  for (int i = 0; i < used; ++i) {
    int best = 0;
    for (int e = 1; e < experts; ++e) {
      if (scratch[e] > scratch[best]) best = e;
    }
    scratch[best] = -INFINITY;
    chosen[i] = best;
    weights[i] = logits[best];
    total += logits[best];
  }
  const float factor = scale / (normalized ? std::max(total, 1e-20f) : 1.0f);
  for (int i = 0; i < used; ++i) weights[i] *= factor;
}

}  // namespace mlxr
