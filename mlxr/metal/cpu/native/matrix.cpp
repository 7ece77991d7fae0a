#include "matrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "file_blocks.h"
#include "half.h"

namespace mlxr {

int64_t Matrix::grain(int64_t) const { return std::max<int64_t>(1, panels() / 64); }

std::shared_ptr<const Matrix> pack(Type type, int64_t rows, int64_t cols, const uint8_t* data, const Extras& extras, Isa isa) {
  if (cols % info(type).block.values) throw std::invalid_argument("columns do not fill whole blocks");
  auto m = std::make_shared<Matrix>();
  m->type = type; m->rows = rows; m->cols = cols; m->isa = isa;
  m->codes = AlignedBuffer(static_cast<size_t>(rows) * row_bytes(type, cols));
  if (m->codes.size()) std::memcpy(m->codes.as<uint8_t>(), data, m->codes.size());
  if (type == Type::FP8_E4M3) {
    m->scale_span = extras.scale_rows ? extras.scale_cols : cols;
    const int64_t n = (cols + m->scale_span - 1) / m->scale_span;
    m->scales = AlignedBuffer(static_cast<size_t>(rows * n) * 4);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = 0; c < n; ++c)
        m->scales.as<float>()[r * n + c] = !extras.scale ? 1.0f : extras.scale_rows ? extras.scale[r / extras.scale_rows * n + c] : extras.scale[0];
  }
  if (type == Type::NF4) {
    m->scale_span = extras.absmax_block;
    m->scales = AlignedBuffer(static_cast<size_t>((rows * cols + extras.absmax_block - 1) / extras.absmax_block) * 4);
    std::memcpy(m->scales.as<float>(), extras.absmax, m->scales.size());
    std::memcpy(m->map, extras.map, sizeof(m->map));
  }
  return m;
}

void dequantize_row(const Matrix& m, int64_t row, float* y) {
  const size_t stride = row_bytes(m.type, m.cols);
  const uint8_t* p = m.codes.as<uint8_t>() + static_cast<size_t>(row) * stride;
  const float* s = m.scales.as<float>();
  const auto h = [&](int64_t i) { uint16_t v; std::memcpy(&v, p + 2 * i, 2); return v; };
  const int64_t n = m.scale_span ? (m.cols + m.scale_span - 1) / m.scale_span : 0;
  if (is_floating(m.type)) {
    for (int64_t i = 0; i < m.cols; ++i) {
      switch (m.type) {
        case Type::F32: std::memcpy(y + i, p + 4 * i, 4); break;
        case Type::F16: y[i] = half_to_float(h(i)); break;
        case Type::BF16: y[i] = bfloat_to_float(h(i)); break;
        case Type::FP8_E4M3: y[i] = e4m3_to_float(p[i]) * s[row * n + i / m.scale_span]; break;
        default: {
          const int64_t flat = row * m.cols + i;
          const uint8_t byte = m.codes.as<uint8_t>()[flat / 2];
          y[i] = m.map[flat % 2 ? byte & 15 : byte >> 4] * s[flat / m.scale_span];
        }
      }
    }
    return;
  }
  UnpackedBlock b{};
  const int values = info(m.type).block.values;
  for (int64_t i = 0; i < m.cols; ++i) {
    if (i % values == 0) unpack_block(m.type, p + i / values * info(m.type).block.bytes, b);
    const int j = static_cast<int>(i % values);
    const float q = b.codes[j];
    switch (m.type) {
      case Type::Q4_0: y[i] = b.d * (q - 8); break;
      case Type::Q4_1: case Type::Q5_1: y[i] = b.d * q + b.dmin; break;
      case Type::Q5_0: y[i] = b.d * (q - 16); break;
      case Type::Q8_0: case Type::Q8_K: y[i] = b.d * static_cast<int8_t>(b.codes[j]); break;
      case Type::Q2_K: y[i] = b.d * b.scales[j / 16] * q - b.dmin * b.mins[j / 16]; break;
      case Type::Q3_K: y[i] = b.d * b.scales[j / 16] * (q - 4); break;
      case Type::Q4_K: case Type::Q5_K: y[i] = b.d * b.scales[j / 32] * q - b.dmin * b.mins[j / 32]; break;
      case Type::Q6_K: y[i] = b.d * b.scales[j / 16] * (q - 32); break;
      case Type::IQ4_NL: y[i] = b.d * kIq4Values[b.codes[j]]; break;
      default: y[i] = b.d * b.scales[j / 32] * kIq4Values[b.codes[j]]; break;
    }
  }
}

Activations::Activations(int64_t rows, int64_t cols, unsigned needs, Isa isa)
    : rows_(rows), cols_(cols), needs_(needs), isa_(isa), floats_(static_cast<size_t>(rows * cols) * 4) {}

void Activations::set_row(int64_t row, const float* x) {
  std::memcpy(floats_.as<float>() + row * cols_, x, static_cast<size_t>(cols_) * 4);
}

void matmul_panels(const Matrix& m, const Activations& x, float* y, int64_t ldy, int64_t begin, int64_t end) {
  std::vector<float> w(static_cast<size_t>(m.cols));
  for (int64_t o = begin; o < std::min(end, m.rows); ++o) {
    dequantize_row(m, o, w.data());
    for (int64_t t = 0; t < x.rows(); ++t) {
      float sum = 0;
      for (int64_t i = 0; i < m.cols; ++i) sum = std::fma(w[static_cast<size_t>(i)], x.floats(t)[i], sum);
      y[t * ldy + o] = sum;
    }
  }
}

void matmul(ThreadPool& pool, const Matrix& m, const float* x, int64_t rows, float* y) {
  Activations xs(rows, m.cols, needs(m), m.isa);
  pool.parallel([&](Team& team) {
    team.loop(rows, 4, [&](int64_t b, int64_t e) { xs.set_rows(b, e, x + b * m.cols, m.cols); });
    team.barrier();
    team.loop(m.panels(), m.grain(rows), [&](int64_t b, int64_t e) { matmul_panels(m, xs, y, m.rows, b, e); });
  });
}

}  // namespace mlxr
