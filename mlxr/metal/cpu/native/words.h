// Float32 matrices kept as words: 13-bit codes with one scale for each output feature.
//
// Products are some 3e-4 off (root mean square), and take little more than half of float32's time.
#pragma once

#include "kernels/word_kernels.h"
#include "matrix.h"

namespace mlxr {

const kernels::WordKernels& word_kernels(Isa isa);

// Whether rows of `cols` input features can be kept so.
bool has_words(Isa isa, int64_t cols);

// Throws std::invalid_argument where has_words is false. Weights must be finite.
std::shared_ptr<const Matrix> pack_words(int64_t rows, int64_t cols, const float* data, Isa isa);

void multiply_words(const Matrix& m, const Activations& x, float* y, int64_t ldy, int64_t begin, int64_t end);
void dequantize_word_row(const Matrix& m, int64_t row, float* y);

}  // namespace mlxr
