// Float32 matrices kept as 16-bit codes (kernels/int16_kernels.h).
#include "quant/int16_matrix.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "kernels/kernel_table.h"

namespace mlxr {
namespace {

// Behind the scales of all panels.
const int32_t* corrections(const Matrix& m) { return m.scales.as<int32_t>() + m.panels() * kLanes; }

}  // namespace

const kernels::Int16Kernels& int16_kernels(Isa isa, int64_t cols) {
  static const kernels::Int16Kernels none;
#if defined(__x86_64__)
  if (isa == Isa::Amx) {
    static const kernels::Int16Kernels amx = kernels::amx_int16();  // a CPU that may run the file it comes from
    if (amx.multiply != nullptr && cols % amx.cols_multiple == 0) return amx;
  }
#endif
  const kernels::Int16Kernels& int16 = kernel_table(isa).int16;
  return cols % int16.cols_multiple == 0 ? int16 : none;
}

bool has_int16(Isa isa, int64_t cols) {
  return int16_kernels(isa, cols).multiply != nullptr && cols <= kernels::kMostInt16Cols;
}

std::shared_ptr<const Matrix> pack_int16(int64_t rows, int64_t cols, const float* data, Isa isa) {
  if (!has_int16(isa, cols)) {
    throw std::invalid_argument("this instruction set has no 16-bit products for rows of this length");
  }
  auto m = std::make_shared<Matrix>();
  m->type = Type::F32;
  m->int16 = true;
  m->rows = rows;
  m->cols = cols;
  m->isa = isa;
  m->panel_code_bytes = static_cast<size_t>(cols) * kLanes * sizeof(int16_t);
  m->panel_scale_bytes = kLanes * (sizeof(float) + sizeof(int32_t));
  m->codes = AlignedBuffer::of_slab(m->panel_code_bytes * static_cast<size_t>(m->panels()));
  m->scales = AlignedBuffer::of_slab(m->panel_scale_bytes * static_cast<size_t>(m->panels()));
  std::fill_n(m->codes.as<uint8_t>(), m->codes.size(), uint8_t{0});
  std::fill_n(m->scales.as<uint8_t>(), m->scales.size(), uint8_t{0});
  int32_t* const row_corrections = m->scales.as<int32_t>() + m->panels() * kLanes;
  std::vector<int16_t> row_codes(static_cast<size_t>(cols));
  const kernels::Int16Kernels& kernels = int16_kernels(isa, cols);
  for (int64_t row = 0; row < rows; ++row) {
    const kernels::Int16Row known = kernels.quantize(data + row * cols, cols, row_codes.data());
    m->scales.as<float>()[row] = known.scale;
    row_corrections[row] = known.correction;
    int16_t* panel = m->codes.as<int16_t>() + row / kLanes * cols * kLanes;
    kernels.pack_row(row_codes.data(), cols, row % kLanes, panel);
  }
  return m;
}

void multiply_int16(const Matrix& m, const Activations& x, int64_t first, int64_t rows, float* y, int64_t ldy,
                    int64_t begin, int64_t end, const float* bias) {
  int16_kernels(m.isa, m.cols)
      .multiply({m.codes.as<int16_t>(), m.scales.as<float>(), corrections(m), m.rows, m.cols, begin, end, rows,
                 x.int16_codes() + first * m.cols, x.int16_rows() + first, bias, y, ldy});
}

int64_t rows_per_thread(const Matrix& m, int64_t rows, int threads) {
  constexpr int64_t kLeast = 8;
  const int64_t share = (rows + threads - 1) / threads;
  return share < kLeast ? 0 : std::min(share, int16_kernels(m.isa, m.cols).rows_per_thread);
}

void dequantize_int16_row(const Matrix& m, int64_t row, float* y) {
  std::vector<int16_t> codes(static_cast<size_t>(m.cols));
  const int16_t* panel = m.codes.as<int16_t>() + row / kLanes * m.cols * kLanes;
  int16_kernels(m.isa, m.cols).unpack_row(panel, m.cols, row % kLanes, codes.data());
  const float scale = m.scales.as<float>()[row];
  for (int64_t col = 0; col < m.cols; ++col) y[col] = scale * static_cast<float>(codes[static_cast<size_t>(col)]);
}

}  // namespace mlxr
