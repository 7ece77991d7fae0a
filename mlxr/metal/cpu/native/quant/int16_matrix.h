// Float32 matrices kept as words: 16-bit codes with one scale for each output feature (kernels/int16_kernels.h).
//
// Products are some 3e-4 off (root mean square), and take half of float32's time.
#pragma once

#include "kernels/int16_kernels.h"
#include "quant/matrix.h"

namespace mlxr {

// For rows of `cols` input features; without functions where there are none.
const kernels::WordKernels& word_kernels(Isa isa, int64_t cols);

// Whether rows of `cols` input features can be kept so.
bool has_words(Isa isa, int64_t cols);

// Throws std::invalid_argument where has_words is false. Weights must be finite.
std::shared_ptr<const Matrix> pack_words(int64_t rows, int64_t cols, const float* data, Isa isa);

// As matmul_panels, of activation rows [first, first + rows): y is the output of the first.
void multiply_words(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y, int64_t ldy,
                    int64_t begin, int64_t end, const float* bias);
inline void multiply_words(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y,
                           const float* bias) {
  multiply_words(m, x, first, rows, y, m.rows, 0, m.panels(), bias);
}

// Of `rows` rows, how many a thread should take through a layer of m's kind by itself, rather than share out each
// product; 0: none. An encoder's weights fit the last-level cache. A thread that keeps to some rows finds them in its
// own cache, and waits for nobody.
int64_t rows_alone(const Matrix& m, int64_t rows, int threads);

void dequantize_word_row(const Matrix& m, int64_t row, float* y);

}  // namespace mlxr
