// Float32 matrices kept as 16-bit codes with one scale for each output feature (kernels/int16_kernels.h).
//
// Products are some 3e-4 off (root mean square), and take half of float32's time.
#pragma once

#include "kernels/int16_kernels.h"
#include "quant/matrix.h"

namespace mlxr {

// For rows of `cols` input features; without functions where there are none.
const kernels::Int16Kernels& int16_kernels(Isa isa, int64_t cols);

// Whether rows of `cols` input features can be kept so.
bool has_int16(Isa isa, int64_t cols);

// Throws std::invalid_argument where has_int16 is false. Weights must be finite.
std::shared_ptr<const Matrix> pack_int16(int64_t rows, int64_t cols, const float* data, Isa isa);

// As matmul_panels, of activation rows [first, first + rows): y is the output of the first.
void multiply_int16(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y, int64_t ldy,
                    int64_t begin, int64_t end, const float* bias);
inline void multiply_int16(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y,
                           const float* bias) {
  multiply_int16(m, x, first, rows, y, m.rows, 0, m.panels(), bias);
}

// Of `rows` rows, how many a thread should take through a layer of m's kind by itself, rather than share out each
// product; 0: none. An encoder's weights fit the last-level cache. A thread that keeps to some rows finds them in its
// own cache, and waits for nobody.
int64_t rows_per_thread(const Matrix& m, int64_t rows, int threads);

void dequantize_int16_row(const Matrix& m, int64_t row, float* y);

}  // namespace mlxr
