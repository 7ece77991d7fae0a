// Scratch memory that the operations of one engine share: they run one after another, so each may use all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/aligned_buffer.h"
#include "quant/matrix.h"

namespace mlxr {

enum class Buffer {
  Rows,
  OtherRows,
  Query,
  Key,
  Value,
  Mixed,
  Up,
  Gate,
  Result,
  Partials,
  PerThread,
  StepPages,
  Counts,
  Scores,
  Choices,
  Inputs,
  LowRank,
  Kept,
  PerLayer,
  Count
};

class Workspace {
 public:
  /// Grows a buffer to `size` bytes; contents are lost when it grows. Not while operations run.
  void reserve(Buffer which, size_t size) {
    AlignedBuffer& buffer = buffers_[static_cast<size_t>(which)];
    if (buffer.size() < size) buffer = AlignedBuffer(size);
  }
  /// Likewise, but zero when it grows; its users leave it zero again.
  void reserve_zeroed(Buffer which, size_t size) {
    AlignedBuffer& buffer = buffers_[static_cast<size_t>(which)];
    if (buffer.size() >= size) return;
    buffer = AlignedBuffer(size);
    std::memset(buffer.as<char>(), 0, size);
  }
  void reserve_floats(Buffer which, int64_t count) { reserve(which, static_cast<size_t>(count) * sizeof(float)); }

  template <class T = float>
  T* at(Buffer which) {
    return buffers_[static_cast<size_t>(which)].as<T>();
  }

  /// Makes room for activations of that shape. Not while operations run.
  void reserve_activations(int64_t rows, int64_t cols, unsigned needs, Isa isa) {
    if (find(rows, cols, needs) == nullptr) {
      kept_.push_back({needs, std::make_unique<Activations>(rows, cols, needs, isa)});
    }
  }
  Activations& activations(int64_t rows, int64_t cols, unsigned needs) const { return *find(rows, cols, needs); }

  /// Before each run: forgets shapes of earlier steps once there are many of them.
  void tidy() {
    if (kept_.size() > kMostShapes) kept_.clear();
  }

 private:
  static constexpr size_t kMostShapes = 24;
  struct Kept {
    unsigned needs;
    std::unique_ptr<Activations> rows;
  };

  Activations* find(int64_t rows, int64_t cols, unsigned needs) const {
    for (const Kept& kept : kept_) {
      if (kept.rows->rows() == rows && kept.rows->cols() == cols && kept.needs == needs) return kept.rows.get();
    }
    return nullptr;
  }

  AlignedBuffer buffers_[static_cast<size_t>(Buffer::Count)];
  std::vector<Kept> kept_;
};

}  // namespace mlxr
