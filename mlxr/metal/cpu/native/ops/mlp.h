// The MLP half of a layer: out = output_scale * (x + post_norm(down(f(gate(n)) * up(n)))) with
// n = norm(x).
#pragma once

#include "ops/operation.h"

namespace mlxr {

/// Meaning of the parts as in mlxr.metal.weights.MLPWeights; `gate` may be null.
struct MlpLayer {
  MatrixPtr up, down, gate;
  RowNorm norm;
  Vector post_norm, up_bias, gate_bias, down_bias;
  Nonlinearity kind;
  float norm_eps;  // of the norm behind it
  bool kept;       // n = norm(kept rows), see KeepOperation
  float output_scale = 1.0f;
  int layer = -1;  // its number in the model; -1: adapters add nothing

  int place(AdapterRole role) const { return layer < 0 ? -1 : place_number(layer, role); }
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

class MlpOperation : public Operation {
 public:
  explicit MlpOperation(std::shared_ptr<const MlpLayer> layer) : layer_(std::move(layer)) {}
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  int64_t rows_per_thread(const Context&, const Operands&) const;
  const float* source(const Context&, const Operands&, int64_t first) const;
  void run_rows(Team&, const Context&, const Operands&, int64_t first, int64_t rows) const;
  void run_thread_rows(const Team&, const Context&, const Operands&, int64_t most, int64_t begin, int64_t end) const;
  void load_row(const Context&, const float* row, float* scratch, Activations& inputs, int64_t at) const;
  void store_row(const Context&, float* result, const float* in, float* out) const;

  std::shared_ptr<const MlpLayer> layer_;
};

}  // namespace mlxr
