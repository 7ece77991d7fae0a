// What changes from step to step: the module's batches, and the settings of rows that are sampled.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>
#include <tuple>

#include "module/shared.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace mlxr {
namespace {

/// Slots, block tables and page size of each cache group.
using GroupArrays = std::vector<std::tuple<Numbers<int32_t>, Numbers<int32_t>, int>>;

/// forbidden(tokens) -> [(row, allowed tokens as bits)]. The thread that samples waits for the interpreter's lock here,
/// so whoever waits for that thread must have let go of it: mlx.core.eval does. A validator that raises leaves every
/// row without an allowed token.
Validator validator_of(const nb::object& forbidden) {
  const auto let_go = [](nb::object* held) {
    const nb::gil_scoped_acquire lock;
    delete held;
  };
  const std::shared_ptr<nb::object> shared(new nb::object(forbidden), let_go);
  return [shared](const int32_t* tokens, int64_t rows) {
    const nb::gil_scoped_acquire lock;
    std::vector<std::pair<int64_t, std::vector<int32_t>>> found;
    try {
      nb::list list;
      for (int64_t r = 0; r < rows; ++r) list.append(tokens[r]);
      for (const nb::handle& one : nb::cast<nb::list>((*shared)(list))) {
        found.emplace_back(nb::cast<int64_t>(one[0]), copied(nb::cast<Numbers<int32_t>>(one[1])));
      }
    } catch (nb::python_error& error) {
      error.discard_as_unraisable("validating sampled tokens");
      found.clear();
      for (int64_t r = 0; r < rows; ++r) found.emplace_back(r, std::vector<int32_t>{0});
    }
    return found;
  };
}

void require_consistent(const SamplingRows& rows) {
  for (const std::vector<float>* one :
       {&rows.top_p, &rows.min_p, &rows.typical_p, &rows.repetition, &rows.presence, &rows.frequency, &rows.uniform}) {
    if (one->size() != rows.temperature.size()) throw std::invalid_argument("every setting has one entry a row");
  }
  if (rows.top_k.size() != rows.temperature.size()) throw std::invalid_argument("every setting has one entry a row");
  if (!rows.generated.empty() && rows.generated.size() != rows.history.size()) {
    throw std::invalid_argument("history and generated differ in shape");
  }
  if (rows.bias_rows.size() != rows.bias_tokens.size() || rows.bias_rows.size() != rows.bias_values.size()) {
    throw std::invalid_argument("biases are triples");
  }
}

}  // namespace

void bind_steps(nb::module_& m) {
  nb::class_<SharedBatch>(m, "Batch")
      .def(
          "__init__",
          [](SharedBatch* self, const Numbers<int32_t>& query_starts, const Numbers<int32_t>& context_lengths,
             const Numbers<int32_t>& positions, const GroupArrays& groups, const SharedAdapterRows* adapters,
             const std::optional<Numbers<int32_t>>& outputs) {
            std::vector<GroupTables> tables;
            for (const auto& [slots, block_tables, page_size] : groups) {
              tables.push_back(GroupTables{copied(slots), copied(block_tables), page_size});
            }
            new (self) SharedBatch(std::make_shared<const Batch>(
                copied(query_starts), copied(context_lengths), copied(positions), std::move(tables), value_of(adapters),
                outputs ? std::optional(copied(*outputs)) : std::nullopt));
          },
          nb::kw_only(), "query_starts"_a, "context_lengths"_a, "positions"_a, "groups"_a,
          "adapters"_a.none() = nb::none(), "outputs"_a.none() = nb::none());
  nb::class_<SharedRows>(m, "SamplingRows")
      .def(
          "__init__",
          [](SharedRows* self, const Numbers<float>& temperature, const Numbers<int32_t>& top_k,
             const Numbers<float>& top_p, const Numbers<float>& min_p, const Numbers<float>& typical_p,
             const Numbers<float>& repetition, const Numbers<float>& presence, const Numbers<float>& frequency,
             const Numbers<float>& uniform, const std::optional<Numbers<int32_t>>& history,
             const std::optional<Numbers<bool>>& generated, const std::optional<Numbers<int32_t>>& bias_rows,
             const std::optional<Numbers<int32_t>>& bias_tokens, const std::optional<Numbers<float>>& bias_values,
             const nb::object& forbidden, int logprobs) {
            auto rows = std::make_shared<SamplingRows>(
                SamplingRows{.temperature = copied(temperature),
                             .top_p = copied(top_p),
                             .min_p = copied(min_p),
                             .typical_p = copied(typical_p),
                             .repetition = copied(repetition),
                             .presence = copied(presence),
                             .frequency = copied(frequency),
                             .uniform = copied(uniform),
                             .top_k = copied(top_k),
                             .history = copied(history),
                             .generated = {},
                             .bias_rows = copied(bias_rows),
                             .bias_tokens = copied(bias_tokens),
                             .bias_values = copied(bias_values),
                             .validator = forbidden.is_none() ? Validator{} : validator_of(forbidden),
                             .logprobs = logprobs});
            if (generated) rows->generated.assign(generated->data(), generated->data() + generated->size());
            require_consistent(*rows);
            new (self) SharedRows(std::move(rows));
          },
          nb::kw_only(), "temperature"_a, "top_k"_a, "top_p"_a, "min_p"_a, "typical_p"_a, "repetition"_a, "presence"_a,
          "frequency"_a, "uniform"_a, "history"_a.none(), "generated"_a.none(), "bias_rows"_a.none(),
          "bias_tokens"_a.none(), "bias_values"_a.none(), "forbidden"_a.none(), "logprobs"_a);
}

}  // namespace mlxr
