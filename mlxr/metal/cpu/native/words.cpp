// Float32 matrices kept as words (kernels/word_kernels.h).
#include "words.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels/word_kernels.h"

namespace mlxr {
namespace {

// Behind the scales of all panels.
const int32_t* crosses(const Matrix& m) { return m.scales.as<int32_t>() + m.panels() * Matrix::lanes; }

}  // namespace

const kernels::WordKernels& word_kernels(Isa isa) {
  static const kernels::WordKernels none;
#if defined(__x86_64__)
  // Each is asked for only on a CPU that may run the file it comes from.
  if (isa == Isa::Avx512) {
    static const kernels::WordKernels avx512 = kernels::avx512_words();
    return avx512;
  }
  if (isa == Isa::Avx2) {
    static const kernels::WordKernels avx2 = kernels::avx2_words();
    return avx2;
  }
#endif
  static_cast<void>(isa);
  return none;
}

bool has_words(Isa isa, int64_t cols) {
  return word_kernels(isa).multiply != nullptr && cols % 4 == 0 && cols <= kernels::kMostWordCols;
}

std::shared_ptr<const Matrix> pack_words(int64_t rows, int64_t cols, const float* data, Isa isa) {
  if (!has_words(isa, cols)) {
    throw std::invalid_argument("this instruction set multiplies no words, or a row's length does not suit them");
  }
  auto m = std::make_shared<Matrix>();
  m->type = Type::F32;
  m->words = true;
  m->rows = rows;
  m->cols = cols;
  m->isa = isa;
  m->panel_code_bytes = static_cast<size_t>(cols) * Matrix::lanes * sizeof(int16_t);
  m->panel_scale_bytes = Matrix::lanes * (sizeof(float) + sizeof(int32_t));
  m->codes = AlignedBuffer::of_slab(m->panel_code_bytes * static_cast<size_t>(m->panels()));
  m->scales = AlignedBuffer::of_slab(m->panel_scale_bytes * static_cast<size_t>(m->panels()));
  std::fill_n(m->codes.as<uint8_t>(), m->codes.size(), uint8_t{0});
  std::fill_n(m->scales.as<uint8_t>(), m->scales.size(), uint8_t{0});
  int32_t* const feature_crosses = m->scales.as<int32_t>() + m->panels() * Matrix::lanes;
  std::vector<int16_t> row_codes(static_cast<size_t>(cols));
  for (int64_t row = 0; row < rows; ++row) {
    const kernels::WordRow known = word_kernels(isa).quantize(data + row * cols, cols, row_codes.data());
    m->scales.as<float>()[row] = known.scale;
    feature_crosses[row] = known.cross;
    int16_t* codes = m->codes.as<int16_t>() + row / Matrix::lanes * cols * Matrix::lanes + row % Matrix::lanes * 2;
    for (int64_t col = 0; col < cols; ++col) codes[col / 2 * 2 * Matrix::lanes + col % 2] = row_codes[static_cast<size_t>(col)];
  }
  return m;
}

void multiply_words(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y, int64_t ldy, int64_t begin,
                    int64_t end, const float* bias) {
  word_kernels(m.isa).multiply({m.codes.as<int16_t>(), m.scales.as<float>(), crosses(m), m.rows, m.cols, begin, end, rows,
                                x.words() + first * m.cols, x.word_rows() + first, bias, y, ldy});
}

int64_t rows_alone(int64_t rows, int threads) {
  constexpr int64_t kLeast = 8, kMost = 24;
  const int64_t share = (rows + threads - 1) / threads;
  return share < kLeast ? 0 : std::min(share, kMost);
}

void dequantize_word_row(const Matrix& m, int64_t row, float* y) {
  const int16_t* codes = m.codes.as<int16_t>() + row / Matrix::lanes * m.cols * Matrix::lanes + row % Matrix::lanes * 2;
  const float scale = m.scales.as<float>()[row];
  for (int64_t col = 0; col < m.cols; ++col) y[col] = scale * static_cast<float>(codes[col / 2 * 2 * Matrix::lanes + col % 2]);
}

}  // namespace mlxr
