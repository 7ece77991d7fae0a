#include "ops/page_pool.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>
#include <numeric>

namespace mlxr {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

}  // namespace

size_t GroupPages::nbytes(int layers, int64_t pages, const PageParts& parts) {
  return static_cast<size_t>(layers * pages * std::accumulate(parts.begin(), parts.end(), int64_t{0}));
}

int64_t GroupPages::file_bytes(size_t nbytes) {
  return static_cast<int64_t>((nbytes + kHugePage - 1) / kHugePage * kHugePage);
}

GroupPages::GroupPages(int layers, int64_t pages, PageParts parts, PageTypes types, PoolFile file)
    : layers_(layers), pages_(pages), parts_(std::move(parts)), types_(types) {
  const size_t size = nbytes(layers_, pages_, parts_);
  if (size == 0) return;
  if (file.descriptor < 0) {
    map_own(size);
  } else {
    map_file(size, file);
  }
}

void GroupPages::map_own(size_t size) {
  void* base = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  madvise(base, size,
          MADV_HUGEPAGE);  // a step walks through all of a deep context; in small pages that costs many table walks
#endif
  base_ = static_cast<char*>(base);
  mapped_ = base;
  mapped_size_ = size;
}

void GroupPages::map_file(size_t size, PoolFile file) {
  // Addresses as much aligned as the file's places, or no huge page could be mapped.
  const auto whole = static_cast<size_t>(file_bytes(size));
  const size_t reserved = whole + kHugePage;
  void* room = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();
  const auto aligned = (reinterpret_cast<uintptr_t>(room) + kHugePage - 1) / kHugePage * kHugePage;
  void* base = mmap(reinterpret_cast<void*>(aligned), whole, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                    file.descriptor, static_cast<off_t>(file.offset));
  if (base == MAP_FAILED) {
    munmap(room, reserved);
    throw std::bad_alloc();
  }
  base_ = static_cast<char*>(base);
  of_file_ = true;
  mapped_ = room;
  mapped_size_ = reserved;
}

GroupPages::~GroupPages() {
  if (mapped_ != nullptr) munmap(mapped_, mapped_size_);
}

char* GroupPages::base(int layer, size_t index) const {
  const PageParts before(parts_.begin(), parts_.begin() + static_cast<int64_t>(index));
  return base_ + nbytes(layer, pages_, parts_) + nbytes(1, pages_, before);
}

void GroupPages::copy_page(int layer, int64_t source, int64_t target) const {
  if (source == target) return;
  for (size_t i = 0; i < parts_.size(); ++i) {
    char* const pages = base(layer, i);
    std::memcpy(pages + target * parts_[i], pages + source * parts_[i], static_cast<size_t>(parts_[i]));
  }
}

void GroupPages::discard(int64_t first) const {
  const auto unit = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int layer = 0; layer < layers_; ++layer) {
    for (size_t i = 0; i < parts_.size(); ++i) {
      // Whole pages of the system's: what shares one with a page that stays, or with what comes behind, stays too.
      const auto part = reinterpret_cast<uintptr_t>(base(layer, i));
      const uintptr_t begin = (part + static_cast<uintptr_t>(first * parts_[i]) + unit - 1) / unit * unit;
      const uintptr_t end = (part + static_cast<uintptr_t>(pages_ * parts_[i])) / unit * unit;
      if (begin >= end) continue;
#ifdef MADV_REMOVE
      if (of_file_) {
        if (madvise(reinterpret_cast<void*>(begin), end - begin, MADV_REMOVE) != 0) throw std::bad_alloc();
        continue;
      }
#endif
      // Mapped anew, since macOS may keep what it is only advised of.
      void* const fresh = mmap(reinterpret_cast<void*>(begin), end - begin, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
      if (fresh == MAP_FAILED) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
      madvise(fresh, end - begin, MADV_HUGEPAGE);
#endif
    }
  }
}

void PagePool::add(const std::vector<int>& layers, int64_t pages, PageParts parts, PageTypes types) {
  const int group = groups();
  groups_.push_back(
      std::make_unique<const GroupPages>(static_cast<int>(layers.size()), pages, std::move(parts), types, file_));
  const GroupPages& added = *groups_.back();
  if (of_file()) {
    file_.offset += GroupPages::file_bytes(GroupPages::nbytes(added.layers(), added.pages(), added.parts()));
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    const auto layer = static_cast<size_t>(layers[i]);
    if (places_.size() <= layer) places_.resize(layer + 1);
    places_[layer] = {group, static_cast<int>(i)};
  }
}

}  // namespace mlxr
