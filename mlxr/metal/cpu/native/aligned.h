// A block of memory on a cache-line boundary, owned by one object. Its contents start undefined.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace mlxr {

class AlignedBuffer {
 public:
  static constexpr size_t kAlignment = 64;
  static constexpr size_t kHugePage = size_t{2} << 20;

  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t size) : size_(size) {
    if (size == 0) return;
    const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
    const size_t whole = (size + kAlignment - 1) / kAlignment * kAlignment;
    if (posix_memalign(&data_, alignment, whole) != 0) throw std::bad_alloc();
#ifdef __linux__
    // Streams of weights cross a page every 4 KiB otherwise, and hardware prefetchers stop at each. Whole huge pages only:
    // the rest of one would be resident and empty.
    if (size >= kHugePage) madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~AlignedBuffer() { std::free(data_); }

  size_t size() const { return size_; }
  template <class T>
  T* as() { return static_cast<T*>(data_); }
  template <class T>
  const T* as() const { return static_cast<const T*>(data_); }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace mlxr
