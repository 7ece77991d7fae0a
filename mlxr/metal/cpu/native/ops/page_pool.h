// The pool: one stretch of memory for all layers of a cache group, written in place.
//
// A page consists of parts; of a layer, those of all pages lie one after another. A page of keys and values has two. Of
// half-precision numbers, each KV head has its keys as [groups][head_dim][16 tokens] and its values as
// [page_size][value_stride]. Of codes of 8 bits, each 128 more than what it stands for, a group of keys is
// [blocks of 32 dimensions][8][16 tokens][4 dimensions], then scales [blocks][16 tokens]; a group of values is
// [16 dimensions each][4][16 dimensions][4 tokens], then a scale for each token. A page of latents has one part, a row
// of half-precision numbers for each token, or of codes in blocks of 32 and their scales. A page that holds a state has
// one, of float32 numbers. Memory is taken zeroed from the system, so a page that was never written
// reads as zeros and costs nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/kernel_table.h"

namespace mlxr {

/// Bytes of each part of a page.
using PageParts = std::vector<int64_t>;

struct PageTypes {
  NumberType keys = NumberType::Half;  // or latents
  NumberType values = NumberType::Half;
};

/// Of a page of keys and values.
struct PageShape {
  int page_size;
  int kv_heads;
  int head_dim;
  PageTypes types;

  int groups() const { return (page_size + kGroup - 1) / kGroup; }
  /// Values are padded with zeros to whole groups of 16 dimensions.
  int value_stride() const { return (head_dim + kGroup - 1) / kGroup * kGroup; }
  int scale_blocks() const { return code_blocks(head_dim); }
  /// Bytes of a group of keys, and of values.
  int64_t group_keys() const {
    return types.keys == NumberType::Half ? int64_t{head_dim} * kGroup * 2
                                          : int64_t{scale_blocks()} * (kCodeBlock + 2) * kGroup;
  }
  int64_t group_values() const {
    return types.values == NumberType::Half ? int64_t{value_stride()} * kGroup * 2
                                            : (int64_t{value_stride()} + 2) * kGroup;
  }
  /// Bytes of a head's keys in a page, and of its values.
  int64_t head_keys() const { return groups() * group_keys(); }
  int64_t head_values() const {
    return types.values == NumberType::Half ? int64_t{page_size} * value_stride() * 2 : groups() * group_values();
  }
  int64_t page_keys() const { return kv_heads * head_keys(); }
  int64_t page_values() const { return kv_heads * head_values(); }
  PageParts parts() const { return {page_keys(), page_values()}; }
};

/// Bytes of a token's latent: half precision, padded with zeros to whole groups of 16, or codes and scales.
inline int64_t latent_bytes(int numbers, NumberType type) {
  return type == NumberType::Half ? int64_t{(numbers + kGroup - 1) / kGroup * kGroup} * 2
                                  : int64_t{code_blocks(numbers)} * (kCodeBlock + 2);
}

/// The part of a page of latents.
inline PageParts latent_parts(int page_size, int numbers, NumberType type) {
  return {page_size * latent_bytes(numbers, type)};
}

/// The parts of a page that holds a state of so many float32 numbers.
inline PageParts state_parts(int64_t numbers) { return {numbers * 4}; }

/// Keys and values of one layer; a view.
struct LayerPages {
  uint8_t* keys;
  uint8_t* values;
};

/// Where the pool's memory comes from: a file in memory (tmpfs) and where in it, in whole huge pages; -1 for the
/// process's own memory.
struct PoolFile {
  int descriptor = -1;
  int64_t offset = 0;
};

/// Pages of one cache group's layers.
class GroupPages {
 public:
  /// Throws std::bad_alloc when the system has no such memory.
  GroupPages(int layers, int64_t pages, PageParts parts, PageTypes types, PoolFile file = {});
  ~GroupPages();
  GroupPages(const GroupPages&) = delete;
  GroupPages& operator=(const GroupPages&) = delete;

  static size_t nbytes(int layers, int64_t pages, const PageParts& parts);
  /// What so many bytes of pages take of a file.
  static int64_t file_bytes(size_t nbytes);

  int layers() const { return layers_; }
  int64_t pages() const { return pages_; }
  const PageParts& parts() const { return parts_; }
  const PageTypes& types() const { return types_; }
  /// Where the parts number `index` of a layer's pages begin.
  template <class T>
  T* part(int layer, size_t index) const {
    return reinterpret_cast<T*>(base(layer, index));
  }
  LayerPages keys_and_values(int layer) const { return {part<uint8_t>(layer, 0), part<uint8_t>(layer, 1)}; }
  void copy_page(int layer, int64_t source, int64_t target) const;
  /// Gives the memory of the pages from `first` on back to the system: they are as if never written.
  void discard(int64_t first) const;

 private:
  char* base(int layer, size_t index) const;
  void map_own(size_t size);
  void map_file(size_t size, PoolFile file);

  int layers_;
  int64_t pages_;
  PageParts parts_;
  PageTypes types_;
  char* base_ = nullptr;
  bool of_file_ = false;
  void* mapped_ = nullptr;
  size_t mapped_size_ = 0;
};

/// Pages of all cache groups of a model.
class PagePool {
 public:
  /// Where a layer of the model is: the group's place and the layer's among the group's.
  struct Place {
    int group = -1;
    int layer = -1;
  };

  PagePool() = default;
  /// Takes its memory from a file, in the order of `add`.
  explicit PagePool(PoolFile file) : file_(file) {}

  /// The group's layers, by their numbers in the model, keep their pages there. Throws std::bad_alloc.
  void add(const std::vector<int>& layers, int64_t pages, PageParts parts, PageTypes types = {});

  bool of_file() const { return file_.descriptor >= 0; }
  int groups() const { return static_cast<int>(groups_.size()); }
  const GroupPages& group(int index) const { return *groups_[static_cast<size_t>(index)]; }
  /// Of a layer that keeps nothing, group -1.
  Place place(int layer) const {
    return layer >= 0 && layer < static_cast<int>(places_.size()) ? places_[static_cast<size_t>(layer)] : Place{};
  }

 private:
  PoolFile file_;
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
