// The table of one instruction set: every type's kernel, instantiated for V.
#pragma once

#include "kernels/floating_matmul.h"
#include "kernels/integer_matmul.h"
#include "kernels/quantize.h"

namespace mlxr::kernels {

template <class V, int... kIndices>
void fill(KernelTable& table, std::integer_sequence<int, kIndices...>) {
  const auto one = [&]<int kIndex>() {
    constexpr Type kType = kTypes[kIndex].type;
    if constexpr (is_floating(kType)) {
      table.matmul[kIndex] = FloatingMatmul<V, kType>::run;
    } else {
      table.matmul[kIndex] = IntegerMatmul<V, kType>::run;
    }
  };
  (one.template operator()<kIndices>(), ...);
}

template <class V>
KernelTable make_table() {
  KernelTable table{};
  fill<V>(table, std::make_integer_sequence<int, kTypeCount>());
  table.quantize = {quantize<V, typename V::Block>, sizeof(typename V::Block)};
  table.quantize_alone = {quantize<V, typename V::AloneBlock>, sizeof(typename V::AloneBlock)};
  return table;
}

}  // namespace mlxr::kernels
