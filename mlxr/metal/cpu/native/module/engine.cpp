// The module's engine, and the matrices it packs.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <stdexcept>
#include <string>

#include "module/shared.h"
#include "ops/limits.h"
#include "quant/int16_matrix.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

Type type_named(const std::string& name) {
  for (const TypeInfo& known : kTypes) {
    if (known.name == name) return known.type;
  }
  throw std::invalid_argument("the native CPU backend has no type " + name);
}

Isa isa_named(const std::optional<std::string>& wanted) {
  if (!wanted) return best_isa();
  for (const Isa isa : usable_isas()) {
    if (name(isa) == *wanted) return isa;
  }
  throw std::invalid_argument("this CPU or build has no instruction set " + *wanted);
}

// Work between two calls of what lets others have the CPU while a matrix is packed.
constexpr std::chrono::milliseconds kPauseTime{1};

SharedMatrix pack_matrix(const SharedEngine& engine, const std::string& type, int64_t rows, int64_t cols,
                         const Numbers<uint8_t>& data, const std::optional<Numbers<float>>& scale, int64_t scale_rows,
                         int64_t scale_cols, const std::optional<Numbers<float>>& absmax, int64_t absmax_block,
                         const std::optional<Numbers<float>>& map, const std::optional<nb::callable>& pause) {
  const Type kind = type_named(type);
  const size_t expected =
      kind == Type::NF4 ? static_cast<size_t>(rows * cols + 1) / 2 : static_cast<size_t>(rows) * row_bytes(kind, cols);
  if (cols % info(kind).block.values == 0 && data.size() != expected) {
    throw std::invalid_argument("the data's size does not match the matrix");
  }
  const Extras extras{scale ? scale->data() : nullptr,   scale_rows,   scale_cols,
                      absmax ? absmax->data() : nullptr, absmax_block, map ? map->data() : nullptr};
  const nb::gil_scoped_release unlocked;
  if (!pause) return SharedMatrix(pack(kind, rows, cols, data.data(), extras, engine.value->isa()));
  auto last = std::chrono::steady_clock::now();
  return SharedMatrix(pack(kind, rows, cols, data.data(), extras, engine.value->isa(), [&] {
    if (std::chrono::steady_clock::now() - last < kPauseTime) return;
    {
      const nb::gil_scoped_acquire locked;
      (*pause)();
    }
    last = std::chrono::steady_clock::now();
  }));
}

SharedMatrix pack_int16_matrix(const SharedEngine& engine, int64_t rows, int64_t cols, const Numbers<float>& data) {
  if (rows < 0 || cols < 0 || data.size() != static_cast<size_t>(rows * cols)) {
    throw std::invalid_argument("the data's size does not match the matrix");
  }
  const nb::gil_scoped_release unlocked;
  return SharedMatrix(pack_int16(rows, cols, data.data(), engine.value->isa()));
}

}  // namespace

void bind_engine(nb::module_& m) {
  nb::class_<SharedMatrix>(m, "Matrix")
      .def_prop_ro("nbytes", [](const SharedMatrix& self) { return self.value->nbytes(); })
      .def_prop_ro("rows", [](const SharedMatrix& self) { return self.value->rows; })
      .def_prop_ro("cols", [](const SharedMatrix& self) { return self.value->cols; });
  nb::class_<SharedEngine>(m, "Engine")
      .def(
          "__init__",
          [](SharedEngine* self, int threads, const std::optional<std::string>& isa) {
            new (self)
                SharedEngine(std::make_shared<Engine>(threads > 0 ? threads : available_threads(), isa_named(isa)));
          },
          "threads"_a = 0, "isa"_a.none() = nb::none())
      .def_prop_ro("threads", [](const SharedEngine& self) { return self.value->pool().size(); })
      .def(
          "use", [](const SharedEngine& self, int threads) { self.value->pool().use(threads); }, "threads"_a)
      .def_prop_ro("isa", [](const SharedEngine& self) { return std::string(name(self.value->isa())); })
      .def(
          "has_int16", [](const SharedEngine& self, int64_t cols) { return has_int16(self.value->isa(), cols); },
          "cols"_a)
      .def("pack_int16", &pack_int16_matrix, "rows"_a, "cols"_a, "data"_a)
      .def("reading",
           [](const SharedEngine& self) {
             const nb::gil_scoped_release unlocked;
             return measure_reading(self.value->pool(), self.value->isa());
           })
      .def("products",
           [](const SharedEngine& self) {
             const nb::gil_scoped_release unlocked;
             return measure_products(self.value->pool(), self.value->isa());
           })
      .def("pack", &pack_matrix, "type"_a, "rows"_a, "cols"_a, "data"_a, "scale"_a.none() = nb::none(),
           "scale_rows"_a = 0, "scale_cols"_a = 0, "absmax"_a.none() = nb::none(), "absmax_block"_a = 0,
           "map"_a.none() = nb::none(), "pause"_a.none() = nb::none());
  m.def("isas", [] {
    std::vector<std::string> names;
    for (const Isa isa : usable_isas()) names.emplace_back(name(isa));
    return names;
  });
  m.def("available_threads", &available_threads);
}

}  // namespace mlxr
