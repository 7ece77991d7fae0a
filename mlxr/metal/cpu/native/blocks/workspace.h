// Scratch memory that the operations of one engine share: they run one after another, so each may use all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "aligned.h"
#include "matrix.h"

namespace mlxr {

enum class Slot { Rows, OtherRows, Query, Key, Value, Mixed, Up, Gate, Result, Partials, PerThread, StepPages, Inputs, Count };

class Workspace {
 public:
  /// Grows the slot to `size` bytes; contents are lost when it grows. Not while operations run.
  void reserve(Slot slot, size_t size) {
    AlignedBuffer& buffer = buffers_[static_cast<size_t>(slot)];
    if (buffer.size() < size) buffer = AlignedBuffer(size);
  }
  void reserve_floats(Slot slot, int64_t count) { reserve(slot, static_cast<size_t>(count) * sizeof(float)); }

  template <class T = float>
  T* at(Slot slot) {
    return buffers_[static_cast<size_t>(slot)].as<T>();
  }

  /// Activations of that many rows, kept for the next operation that asks for the same; a step of another size replaces them.
  Activations& activations(int64_t rows, int64_t cols, unsigned needs, Isa isa) {
    if (rows != rows_) {
      rows_ = rows;
      activations_.clear();
    }
    for (Kept& kept : activations_) {
      if (kept.rows->rows() == rows && kept.rows->cols() == cols && kept.needs == needs) return *kept.rows;
    }
    activations_.push_back({needs, std::make_unique<Activations>(rows, cols, needs, isa)});
    return *activations_.back().rows;
  }

 private:
  struct Kept {
    unsigned needs;
    std::unique_ptr<Activations> rows;
  };
  AlignedBuffer buffers_[static_cast<size_t>(Slot::Count)];
  std::vector<Kept> activations_;
  int64_t rows_ = 0;
};

}  // namespace mlxr
