#include "kernels/int16_lanes_avx512.h"

namespace mlxr::kernels {

WordKernels avx512_words() {
  using Words = WordMatmul<Avx512Words>;
  return {Words::multiply, Words::quantize, Words::place, Words::look_up, 24, 4};
}

}  // namespace mlxr::kernels
