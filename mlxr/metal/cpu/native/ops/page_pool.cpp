#include "page_pool.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace mlxr {
namespace {

size_t layer_bytes(int64_t pages, const PageShape& shape) {
  return static_cast<size_t>(pages * (shape.page_keys() + shape.page_values())) * sizeof(uint16_t);
}

}  // namespace

size_t PagePool::nbytes(int layers, int64_t pages, const PageShape& shape) {
  return static_cast<size_t>(layers) * layer_bytes(pages, shape);
}

PagePool::PagePool(int layers, int64_t pages, PageShape shape) : shape_(shape), pages_(pages) {
  const size_t size = layer_bytes(pages, shape);
  for (int layer = 0; layer < layers && size > 0; ++layer) {
    void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
      for (uint16_t* taken : bases_) munmap(taken, size);
      throw std::bad_alloc();
    }
#ifdef MADV_HUGEPAGE
    madvise(base, size, MADV_HUGEPAGE);  // a step walks through all of a deep context; without it each page costs a table walk
#endif
    bases_.push_back(static_cast<uint16_t*>(base));
  }
}

PagePool::~PagePool() {
  for (uint16_t* base : bases_) munmap(base, layer_bytes(pages_, shape_));
}

void PagePool::copy_page(int index, int64_t source, int64_t target) const {
  if (source == target) return;
  const LayerPages pages = layer(index);
  const int64_t keys = shape_.page_keys(), values = shape_.page_values();
  std::memcpy(pages.keys + target * keys, pages.keys + source * keys, static_cast<size_t>(keys) * 2);
  std::memcpy(pages.values + target * values, pages.values + source * values, static_cast<size_t>(values) * 2);
}

}  // namespace mlxr
