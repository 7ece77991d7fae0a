// The module's adapters, and which rows of a step have them.

#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "module/shared.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

template <class T>
using Matrix2 = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

}  // namespace

void bind_adapters(nb::module_& m) {
  nb::class_<SharedLowRank>(m, "LowRank")
      .def(
          "__init__",
          [](SharedLowRank* self, const Matrix2<float>& down, const Matrix2<float>& up, float scaling) {
            if (down.shape(0) != up.shape(1)) throw std::invalid_argument("down and up differ in rank");
            const nb::gil_scoped_release unlocked;
            new (self) SharedLowRank(std::make_shared<const LowRank>(down.shape(0), up.shape(0), down.shape(1),
                                                                     down.data(), up.data(), scaling));
          },
          "down"_a, "up"_a, "scaling"_a)
      .def_prop_ro("nbytes", [](const SharedLowRank& self) { return self.value->nbytes(); });
  nb::class_<SharedAdapter>(m, "Adapter")
      .def(
          "__init__",
          [](SharedAdapter* self, const std::vector<std::pair<int, SharedLowRank>>& parts) {
            auto adapter = std::make_shared<Adapter>();
            for (const auto& [place, part] : parts) adapter->parts.emplace(place, part.value);
            new (self) SharedAdapter(std::move(adapter));
          },
          "parts"_a);
  nb::class_<SharedAdapterRows>(m, "AdapterRows")
      .def(
          "__init__",
          [](SharedAdapterRows* self, const std::vector<std::vector<std::pair<SharedAdapter, float>>>& stacks,
             const Numbers<int32_t>& owners) {
            std::vector<AdapterStack> made;
            for (const auto& stack : stacks) {
              AdapterStack& uses = made.emplace_back();
              for (const auto& [adapter, scale] : stack) uses.push_back({adapter.value, scale});
            }
            new (self) SharedAdapterRows(std::make_shared<const AdapterRows>(std::move(made), copied(owners)));
          },
          "stacks"_a, "owners"_a);
}

}  // namespace mlxr
