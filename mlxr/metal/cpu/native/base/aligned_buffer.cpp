#include "base/aligned_buffer.h"

#include <cstdlib>
#include <mutex>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "base/constants.h"

namespace mlxr {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSlab = 8 * kHugePage;

size_t lines(size_t size) { return (size + kCacheLine - 1) / kCacheLine * kCacheLine; }

// Streams of weights cross a page every 4 KiB otherwise, and hardware prefetchers stop at each. Whole huge pages only:
// the rest of one would be resident and empty.
std::shared_ptr<void> allocate(size_t size) {
  void* data = nullptr;
  if (posix_memalign(&data, size >= kHugePage ? kHugePage : kCacheLine, lines(size)) != 0) throw std::bad_alloc();
#ifdef __linux__
  if (size >= kHugePage) madvise(data, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return {data, std::free};
}

// The slab that has room at its end.
struct OpenSlab {
  std::mutex mutex;
  std::weak_ptr<void> slab;
  size_t taken = 0;
};

std::shared_ptr<void> take(size_t size) {
  static OpenSlab open;
  const std::lock_guard lock(open.mutex);
  std::shared_ptr<void> slab = open.slab.lock();
  if (slab == nullptr || open.taken + lines(size) > kSlab) {
    slab = allocate(kSlab);
    open.slab = slab;
    open.taken = 0;
  }
  char* const data = static_cast<char*>(slab.get()) + open.taken;
  open.taken += lines(size);
  return {std::move(slab), data};
}

}  // namespace

AlignedBuffer::AlignedBuffer(size_t size) : data_(size > 0 ? allocate(size) : nullptr), size_(size) {}

AlignedBuffer AlignedBuffer::of_slab(size_t size) {
  if (size == 0 || size >= kSlab / 2) return AlignedBuffer(size);
  return {take(size), size};
}

}  // namespace mlxr
