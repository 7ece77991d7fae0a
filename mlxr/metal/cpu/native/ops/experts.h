// A mixture of experts as the feed-forward half of a layer: out = x + shared(n) + sum of weight(n, e) * expert(n, e)
// over the experts that a token's router chooses, with n = norm(x) and every expert an MLP. Experts may work on shorter
// vectors: x + shared(n) + latent_up(sum of weight(n, e) * expert(latent_down(n), e)).
#pragma once

#include "ops/operation.h"
#include "ops/routing.h"

namespace mlxr {

/// Meaning of the parts as in mlxr.metal.weights.ExpertsWeights. Experts' matrices lie above one another as one, whose
/// rows an expert are whole panels; their biases likewise.
struct ExpertsLayer {
  MatrixPtr router, up, down;
  MatrixPtr gate;                                                // null where experts are ungated
  MatrixPtr latent_down, latent_up;                              // null where experts work on the whole width
  MatrixPtr shared_gate, shared_up, shared_down, shared_router;  // null where the model has none
  RowNorm norm;
  Vector router_bias, choice_bias, gate_bias, up_bias, down_bias;
  RowNorm router_norm, shared_norm;  // of the router's and the shared expert's own inputs; empty where they take n
  RowNorm shared_post_norm, mixture_post_norm, post_norm;  // of what is added: the parts, and their sum
  Vector expert_scale;                                     // what experts' weights are multiplied by
  float output_scale = 1.0f;
  Routing routing;
  bool weighs_inputs;  // an expert's weight multiplies what it gets, not what it gives
  Nonlinearity kind;
  bool kept;  // n = norm(kept rows), see KeepOperation

  bool has_post_norms() const { return !shared_post_norm.empty() || !mixture_post_norm.empty() || !post_norm.empty(); }
  int64_t width() const { return router->cols; }
  int64_t hidden() const { return up->rows / routing.experts; }
  /// Numbers that an expert reads and writes.
  int64_t expert_width() const { return up->cols; }
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

class ExpertsOperation : public Operation {
 public:
  explicit ExpertsOperation(std::shared_ptr<const ExpertsLayer> layer) : layer_(std::move(layer)) {}
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  struct Step;
  void run_rows(Team&, const Context&, const Operands&, int64_t first, int64_t rows) const;

  std::shared_ptr<const ExpertsLayer> layer_;
};

}  // namespace mlxr
