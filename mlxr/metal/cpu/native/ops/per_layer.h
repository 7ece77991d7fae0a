// Per-layer embeddings: numbers of each token that every layer adds in its own way besides the hidden state.
#pragma once

#include "ops/operation.h"

namespace mlxr {

/// The numbers of all layers, [rows, layers * size]: norm(projection(x)) + table_scale * table[token], the norm over a
/// layer's own. A token outside the table counts as token 0.
struct PerLayerEmbedding {
  MatrixPtr table, projection;
  Vector norm;  // [size]
  float norm_eps;
  float table_scale;

  int64_t size() const { return static_cast<int64_t>(norm.size()); }
  /// Throws std::invalid_argument where sizes do not fit together.
  void check() const;
};

/// Leaves the numbers in the workspace for the operations that follow it in the same run, and hands its rows on.
class PerLayerEmbeddingOperation : public Operation {
 public:
  explicit PerLayerEmbeddingOperation(std::shared_ptr<const PerLayerEmbedding> embedding)
      : embedding_(std::move(embedding)) {}
  const PerLayerEmbedding& embedding() const { return *embedding_; }
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::shared_ptr<const PerLayerEmbedding> embedding_;
};

/// What one layer adds: output_scale * (x + post_norm(output(f(gate(x)) * numbers))).
struct PerLayerInput {
  MatrixPtr gate, output;
  Vector post_norm;
  Nonlinearity kind;
  float norm_eps;
  float output_scale;
  int layer;  // its place among the layers that have numbers

  /// Throws std::invalid_argument where sizes do not fit together, or do not fit `embedding`.
  void check() const;
  void check(const PerLayerEmbedding& embedding) const;
};

class PerLayerInputOperation : public Operation {
 public:
  /// `numbers`: of a row, those of all layers.
  PerLayerInputOperation(std::shared_ptr<const PerLayerInput> input, int64_t numbers)
      : input_(std::move(input)), numbers_(numbers) {}
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::shared_ptr<const PerLayerInput> input_;
  int64_t numbers_;
};

}  // namespace mlxr
