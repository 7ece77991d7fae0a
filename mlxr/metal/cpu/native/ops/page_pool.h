// The KV pool: one stretch of memory for all layers, half-precision values, written in place.
//
// Of a page, each KV head has its keys as [groups][head_dim][16 tokens] and its values as [page_size][value_stride].
// Memory is taken zeroed from the system, so a page that was never written reads as zeros and costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.h"

namespace mlxr {

struct PageShape {
  int page_size;
  int kv_heads;
  int head_dim;

  int groups() const { return (page_size + kGroup - 1) / kGroup; }
  /// Values are padded with zeros to whole groups of 16 dimensions.
  int value_stride() const { return (head_dim + kGroup - 1) / kGroup * kGroup; }
  int64_t head_keys() const { return int64_t{groups()} * head_dim * kGroup; }
  int64_t head_values() const { return int64_t{page_size} * value_stride(); }
  int64_t page_keys() const { return kv_heads * head_keys(); }
  int64_t page_values() const { return kv_heads * head_values(); }
};

/// Keys and values of one layer; a view.
struct LayerPages {
  uint16_t* keys;
  uint16_t* values;
};

class PagePool {
 public:
  /// Throws std::bad_alloc when the system has no such memory.
  PagePool(int layers, int64_t pages, PageShape shape);
  ~PagePool();
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  static size_t nbytes(int layers, int64_t pages, const PageShape& shape);

  int layers() const { return layers_; }
  int64_t pages() const { return pages_; }
  const PageShape& shape() const { return shape_; }
  LayerPages layer(int index) const {
    uint16_t* base = base_ + index * pages_ * (shape_.page_keys() + shape_.page_values());
    return {base, base + pages_ * shape_.page_keys()};
  }
  void copy_page(int layer, int64_t source, int64_t target) const;

 private:
  int layers_;
  int64_t pages_;
  PageShape shape_;
  uint16_t* base_ = nullptr;
};

}  // namespace mlxr
