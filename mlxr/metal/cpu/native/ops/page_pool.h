// The KV pool: one stretch of memory for all layers of a cache group, half-precision values, written in place.
//
// Of a page, each KV head has its keys as [groups][head_dim][16 tokens] and its values as [page_size][value_stride].
// Memory is taken zeroed from the system, so a page that was never written reads as zeros and costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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

/// Pages of one cache group's layers.
class GroupPages {
 public:
  /// Throws std::bad_alloc when the system has no such memory.
  GroupPages(int layers, int64_t pages, PageShape shape);
  ~GroupPages();
  GroupPages(const GroupPages&) = delete;
  GroupPages& operator=(const GroupPages&) = delete;

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

/// Pages of all cache groups of a model.
class PagePool {
 public:
  /// Where a layer of the model is: the group's place and the layer's among the group's.
  struct Place {
    int group = -1;
    int layer = -1;
  };

  /// The group's layers, by their numbers in the model, keep their pages there. Throws std::bad_alloc.
  void add(const std::vector<int>& layers, int64_t pages, PageShape shape);

  int groups() const { return static_cast<int>(groups_.size()); }
  const GroupPages& group(int index) const { return *groups_[static_cast<size_t>(index)]; }
  /// Of a layer that keeps nothing, group -1.
  Place place(int layer) const {
    return layer >= 0 && layer < static_cast<int>(places_.size()) ? places_[static_cast<size_t>(layer)] : Place{};
  }

 private:
  std::vector<std::unique_ptr<const GroupPages>> groups_;
  std::vector<Place> places_;
};

/// A page of a group gets another's content.
struct PageCopy {
  int group;
  int64_t source;
  int64_t target;
};

}  // namespace mlxr
