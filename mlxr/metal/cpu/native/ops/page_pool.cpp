#include "ops/page_pool.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace mlxr {

size_t GroupPages::nbytes(int layers, int64_t pages, const PageShape& shape) {
  return static_cast<size_t>(layers * pages * (shape.page_keys() + shape.page_values())) * sizeof(uint16_t);
}

GroupPages::GroupPages(int layers, int64_t pages, PageShape shape) : layers_(layers), pages_(pages), shape_(shape) {
  const size_t size = nbytes(layers, pages, shape);
  if (size == 0) return;
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  madvise(base, size,
          MADV_HUGEPAGE);  // a step walks through all of a deep context; in small pages that costs many table walks
#endif
  base_ = static_cast<uint16_t*>(base);
}

GroupPages::~GroupPages() {
  if (base_ != nullptr) munmap(base_, nbytes(layers_, pages_, shape_));
}

void GroupPages::copy_page(int index, int64_t source, int64_t target) const {
  if (source == target) return;
  const LayerPages pages = layer(index);
  const int64_t keys = shape_.page_keys(), values = shape_.page_values();
  std::memcpy(pages.keys + target * keys, pages.keys + source * keys, static_cast<size_t>(keys) * 2);
  std::memcpy(pages.values + target * values, pages.values + source * values, static_cast<size_t>(values) * 2);
}

void PagePool::add(const std::vector<int>& layers, int64_t pages, PageShape shape) {
  const int group = groups();
  groups_.push_back(std::make_unique<const GroupPages>(static_cast<int>(layers.size()), pages, shape));
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto layer = static_cast<size_t>(layers[i]);
    if (places_.size() <= layer) places_.resize(layer + 1);
    places_[layer] = {group, static_cast<int>(i)};
  }
}

}  // namespace mlxr
