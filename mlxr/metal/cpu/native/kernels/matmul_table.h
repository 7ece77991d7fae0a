// The table of one instruction set: every type's kernel, instantiated for V.
#pragma once

#include "kernels/floating_matmul.h"
#include "kernels/integer_matmul.h"
#include "kernels/quantize.h"

namespace mlxr::kernels {

template <class V, int... kIndices>
void fill(KernelTable& table) {
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
  fill<V, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17>(table);
  table.quantize = {quantize<V, typename V::Block>, sizeof(typename V::Block)};
  table.quantize_alone = {quantize<V, typename V::AloneBlock>, sizeof(typename V::AloneBlock)};
  return table;
}

}  // namespace mlxr::kernels
