// The operations around the layers: embedding, plain products, norms, logits, and page copies.
#pragma once

#include <utility>

#include "ops/operation.h"
#include "ops/page_pool.h"

namespace mlxr {

/// Rows `ids` of a table times a factor; an id outside the table gives zeros.
class EmbedOperation : public Operation {
 public:
  EmbedOperation(MatrixPtr table, float scale) : table_(std::move(table)), scale_(scale) {}
  bool in_place() const override { return false; }
  void run(Team&, const Context&, const Operands&) const override;

 private:
  MatrixPtr table_;
  float scale_;
};

/// x @ matrix.T + bias.
class LinearOperation : public Operation {
 public:
  LinearOperation(MatrixPtr matrix, Vector bias) : matrix_(std::move(matrix)), bias_(std::move(bias)) {}
  const Matrix& matrix() const { return *matrix_; }
  bool in_place() const override { return false; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  MatrixPtr matrix_;
  Vector bias_;
};

class NormOperation : public Operation {
 public:
  explicit NormOperation(RowNorm norm) : norm_(std::move(norm)) {}
  int64_t width() const { return static_cast<int64_t>(norm_.weight.size()); }
  bool in_place() const override { return true; }
  void run(Team&, const Context&, const Operands&) const override;

 private:
  RowNorm norm_;
};

/// Keeps a copy of the rows, which the second of two parallel halves is computed from: the operation behind the next.
class KeepOperation : public Operation {
 public:
  bool in_place() const override { return true; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;
};

/// Goes on with the rows `rows` alone, which ascend. What earlier operations left in the workspace of each row moves
/// along: those that were kept (KeepOperation), where `kept`, and `per_layer` numbers (PerLayerEmbedding).
class PickRowsOperation : public Operation {
 public:
  PickRowsOperation(std::vector<int32_t> rows, bool kept, int64_t per_layer)
      : rows_(std::move(rows)), kept_(kept), per_layer_(per_layer) {}
  bool in_place() const override { return false; }
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::vector<int32_t> rows_;
  bool kept_;
  int64_t per_layer_;
};

/// Puts rows back where PickRowsOperation took them from; all others are zero.
class PlaceRowsOperation : public Operation {
 public:
  explicit PlaceRowsOperation(std::vector<int32_t> rows) : rows_(std::move(rows)) {}
  bool in_place() const override { return false; }
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::vector<int32_t> rows_;
};

struct Head {
  MatrixPtr matrix;
  RowNorm norm;
  Vector bias;
  float softcap;
};

/// Final norm and output projection of the rows `ids`; a row outside the input gives NaN.
class LogitsOperation : public Operation {
 public:
  explicit LogitsOperation(std::shared_ptr<const Head> head) : head_(std::move(head)) {}
  bool in_place() const override { return false; }
  void prepare(const Context&, const Operands&) const override;
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::shared_ptr<const Head> head_;
};

/// Copies pages (source, target) one after another in every layer, then hands its rows on.
class CopyPagesOperation : public Operation {
 public:
  CopyPagesOperation(std::shared_ptr<const PagePool> pool, std::vector<PageCopy> copies)
      : pool_(std::move(pool)), copies_(std::move(copies)) {}
  bool in_place() const override { return true; }
  void run(Team&, const Context&, const Operands&) const override;

 private:
  std::shared_ptr<const PagePool> pool_;
  std::vector<PageCopy> copies_;
};

}  // namespace mlxr
