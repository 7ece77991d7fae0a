// The module's pool of pages, and what one would take.

#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "module/shared.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

NumberType number_type(bool int8) { return int8 ? NumberType::Int8 : NumberType::Half; }

PageShape page_shape(int page_size, int kv_heads, int head_dim, bool int8_keys, bool int8_values) {
  if (page_size < 1 || kv_heads < 1 || head_dim < 1) throw std::invalid_argument("a pool needs positive sizes");
  return {page_size, kv_heads, head_dim, {number_type(int8_keys), number_type(int8_values)}};
}

void add_group(const SharedPool& pool, const std::vector<int>& layers, int64_t pages, const PageParts& parts,
               PageTypes types = {}) {
  if (pages < 0 ||
      std::any_of(
          parts.begin(), parts.end(), [](int64_t bytes) { return bytes < 1; }) ||
      std::any_of(layers.begin(), layers.end(), [](int layer) { return layer < 0; })) {
    throw std::invalid_argument("a pool needs positive sizes");
  }
  pool.value->pages->add(layers, pages, parts, types);
}

}  // namespace

void bind_pools(nb::module_& m) {
  nb::class_<SharedPool>(m, "Pool")
      .def(
          "__init__",
          [](SharedPool* self, int file, int64_t offset) {
            auto pages = std::make_shared<PagePool>(PoolFile{file, offset});
            new (self) SharedPool(std::make_shared<PoolHandle>(PoolHandle{std::move(pages), {}, {}}));
          },
          nb::kw_only(), "file"_a = -1, "offset"_a = 0)
      .def(
          "add_keys_and_values",
          [](const SharedPool& self, const std::vector<int>& layers, int64_t pages, int page_size, int kv_heads,
             int head_dim, bool int8_keys, bool int8_values) {
            const PageShape shape = page_shape(page_size, kv_heads, head_dim, int8_keys, int8_values);
            add_group(self, layers, pages, shape.parts(), shape.types);
          },
          nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "kv_heads"_a, "head_dim"_a, "int8_keys"_a = false,
          "int8_values"_a = false)
      .def(
          "add_latents",
          [](const SharedPool& self, const std::vector<int>& layers, int64_t pages, int page_size, int numbers,
             bool int8) {
            const NumberType type = number_type(int8);
            add_group(self, layers, pages, latent_parts(page_size, numbers, type), {type, NumberType::Half});
          },
          nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "numbers"_a, "int8"_a = false)
      .def(
          "add_states",
          [](const SharedPool& self, const std::vector<int>& layers, int64_t pages, int64_t numbers) {
            add_group(self, layers, pages, state_parts(numbers));
          },
          nb::kw_only(), "layers"_a, "pages"_a, "numbers"_a)
      .def(
          "copy_page",
          [](const SharedPool& self, int group, int64_t source, int64_t target) {
            const PagePool& pool = *self.value->pages;
            if (group < 0 || group >= pool.groups()) throw std::out_of_range("no such cache group in the pool");
            if (std::min(source, target) < 0 || std::max(source, target) >= pool.group(group).pages()) {
              throw std::out_of_range("no such page in the pool");
            }
            self.value->copies.push_back({group, source, target});
          },
          "group"_a, "source"_a, "target"_a)
      .def(
          "parts",
          [](const SharedPool& self, int group) {
            // Of each layer and part, the bytes of all pages: [pages][bytes of a page's part].
            const PagePool& pool = *self.value->pages;
            if (group < 0 || group >= pool.groups()) throw std::out_of_range("no such cache group in the pool");
            const GroupPages& pages = pool.group(group);
            std::vector<nb::ndarray<nb::numpy, uint8_t, nb::ndim<2>>> views;
            for (int layer = 0; layer < pages.layers(); ++layer) {
              for (size_t i = 0; i < pages.parts().size(); ++i) {
                nb::capsule keeper(new std::shared_ptr<PagePool>(self.value->pages),
                                   [](void* p) noexcept { delete static_cast<std::shared_ptr<PagePool>*>(p); });
                const std::array<size_t, 2> shape{static_cast<size_t>(pages.pages()),
                                                  static_cast<size_t>(pages.parts()[i])};
                views.emplace_back(pages.part<uint8_t>(layer, i), 2, shape.data(), keeper);
              }
            }
            return views;
          },
          "group"_a)
      .def(
          "discard",
          [](const SharedPool& self, int group, int64_t first) {
            const PagePool& pool = *self.value->pages;
            if (group < 0 || group >= pool.groups()) throw std::out_of_range("no such cache group in the pool");
            if (first < 0) throw std::out_of_range("no such page in the pool");
            pool.group(group).discard(first);
          },
          "group"_a, "first"_a);
  m.def(
      "keys_and_values_bytes",
      [](int layers, int64_t pages, int page_size, int kv_heads, int head_dim, bool int8_keys, bool int8_values) {
        return GroupPages::nbytes(layers, pages,
                                  page_shape(page_size, kv_heads, head_dim, int8_keys, int8_values).parts());
      },
      nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "kv_heads"_a, "head_dim"_a, "int8_keys"_a = false,
      "int8_values"_a = false);
  m.def(
      "latents_bytes",
      [](int layers, int64_t pages, int page_size, int numbers, bool int8) {
        return GroupPages::nbytes(layers, pages, latent_parts(page_size, numbers, number_type(int8)));
      },
      nb::kw_only(), "layers"_a, "pages"_a, "page_size"_a, "numbers"_a, "int8"_a = false);
  m.def(
      "states_bytes",
      [](int layers, int64_t pages, int64_t numbers) {
        return GroupPages::nbytes(layers, pages, state_parts(numbers));
      },
      nb::kw_only(), "layers"_a, "pages"_a, "numbers"_a);
}

}  // namespace mlxr
