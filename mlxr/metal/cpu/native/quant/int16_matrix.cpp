// Float32 matrices kept as words (kernels/int16_kernels.h).
#include "quant/int16_matrix.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels/int16_kernels.h"

namespace mlxr {
namespace {

// Behind the scales of all panels.
const int32_t* crosses(const Matrix& m) { return m.scales.as<int32_t>() + m.panels() * Matrix::lanes; }

}  // namespace

const kernels::WordKernels& word_kernels(Isa isa, int64_t cols) {
  static const kernels::WordKernels none;
#if defined(__x86_64__)
  // Each is asked for only on a CPU that may run the file it comes from.
  if (isa == Isa::Avx512) {
    static const kernels::WordKernels amx = kernels::amx_words(), avx512 = kernels::avx512_words();
    if (amx.multiply != nullptr && cols % amx.multiple == 0) return amx;
    return cols % avx512.multiple == 0 ? avx512 : none;
  }
  if (isa == Isa::Avx2) {
    static const kernels::WordKernels avx2 = kernels::avx2_words();
    return cols % avx2.multiple == 0 ? avx2 : none;
  }
#endif
  static_cast<void>(isa), static_cast<void>(cols);
  return none;
}

bool has_words(Isa isa, int64_t cols) {
  return word_kernels(isa, cols).multiply != nullptr && cols <= kernels::kMostWordCols;
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
  const kernels::WordKernels& kernels = word_kernels(isa, cols);
  for (int64_t row = 0; row < rows; ++row) {
    const kernels::WordRow known = kernels.quantize(data + row * cols, cols, row_codes.data());
    m->scales.as<float>()[row] = known.scale;
    feature_crosses[row] = known.cross;
    int16_t* panel = m->codes.as<int16_t>() + row / Matrix::lanes * cols * Matrix::lanes;
    kernels.place(row_codes.data(), cols, row % Matrix::lanes, panel);
  }
  return m;
}

void multiply_words(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y, int64_t ldy,
                    int64_t begin, int64_t end, const float* bias) {
  word_kernels(m.isa, m.cols)
      .multiply({m.codes.as<int16_t>(), m.scales.as<float>(), crosses(m), m.rows, m.cols, begin, end, rows,
                 x.words() + first * m.cols, x.word_rows() + first, bias, y, ldy});
}

int64_t rows_alone(const Matrix& m, int64_t rows, int threads) {
  constexpr int64_t kLeast = 8;
  const int64_t share = (rows + threads - 1) / threads;
  return share < kLeast ? 0 : std::min(share, word_kernels(m.isa, m.cols).own_rows);
}

void dequantize_word_row(const Matrix& m, int64_t row, float* y) {
  std::vector<int16_t> codes(static_cast<size_t>(m.cols));
  const int16_t* panel = m.codes.as<int16_t>() + row / Matrix::lanes * m.cols * Matrix::lanes;
  word_kernels(m.isa, m.cols).look_up(panel, m.cols, row % Matrix::lanes, codes.data());
  const float scale = m.scales.as<float>()[row];
  for (int64_t col = 0; col < m.cols; ++col) y[col] = scale * static_cast<float>(codes[static_cast<size_t>(col)]);
}

}  // namespace mlxr
