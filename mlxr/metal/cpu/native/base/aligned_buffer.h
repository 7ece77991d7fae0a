// A block of memory on a cache-line boundary, owned by one object. Its contents start undefined.
#pragma once

#include <cstddef>
#include <memory>

namespace mlxr {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  // Throws std::bad_alloc.
  explicit AlignedBuffer(size_t size);
  // For weights: out of a slab that a model's other weights share, on huge pages. The slab goes when its last buffer
  // goes.
  static AlignedBuffer of_slab(size_t size);
  AlignedBuffer(AlignedBuffer&&) noexcept = default;
  AlignedBuffer& operator=(AlignedBuffer&&) noexcept = default;

  size_t size() const { return size_; }
  template <class T>
  T* as() {
    return static_cast<T*>(data_.get());
  }
  template <class T>
  const T* as() const {
    return static_cast<const T*>(data_.get());
  }

 private:
  AlignedBuffer(std::shared_ptr<void> data, size_t size) : data_(std::move(data)), size_(size) {}

  std::shared_ptr<void> data_;
  size_t size_ = 0;
};

}  // namespace mlxr
