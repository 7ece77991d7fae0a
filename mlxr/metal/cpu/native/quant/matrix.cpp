#include "quant/matrix.h"

#include <algorithm>
#include <cstring>

#include "kernels/kernel_table.h"
#include "quant/int16_matrix.h"

namespace mlxr {

int64_t Matrix::grain(int64_t activation_rows, int threads) const {
  constexpr int64_t kBytes = 48 * 1024;   // decode: a stretch of memory long enough for the prefetchers
  constexpr int64_t kProducts = 1 << 21;  // prefill: some tens of microseconds
  constexpr int64_t kPanels = 4, kManyRows = 6, kManyPanels = 16;
  const int64_t bytes = static_cast<int64_t>(panel_code_bytes + panel_scale_bytes);
  const int64_t products = std::max<int64_t>(1, cols * kLanes * activation_rows);
  // Every turn reads all activations, so with some rows it must use them for some panels, and with many for more: they
  // may come from beyond a core's own cache, or be laid out anew for tiles.
  const int64_t least = activation_rows >= kManyRows ? kManyPanels : activation_rows > 1 ? kPanels : 1;
  const int64_t wanted = std::max(std::min(kBytes / std::max<int64_t>(1, bytes), kProducts / products), least);
  // Two turns a thread at least, so that nobody waits for one whole turn of another.
  const int64_t most = panels() / std::max<int64_t>(8, 2 * int64_t{threads});
  int64_t grain = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, most));
  // Tiles of several rows take panels in pairs.
  if (activation_rows > 1 && grain > 1) grain -= grain % 2;
  // One row of floating weights works on several panels at a time.
  return is_floating(type) ? (grain + kernels::kFloatPanels - 1) / kernels::kFloatPanels * kernels::kFloatPanels
                           : grain;
}

Activations::Activations(int64_t rows, int64_t cols, unsigned needs, Isa isa)
    : rows_(rows),
      cols_(cols),
      needs_(needs),
      quantize_(alone() ? kernel_table(isa).quantize_single_row : kernel_table(isa).quantize),
      quantize_superblocks_(kernel_table(isa).quantize_superblocks),
      int16_kernels_(int16_kernels(isa, cols)) {
  const size_t values = static_cast<size_t>(rows) * static_cast<size_t>(cols);
  if (needs & kNeedsCodes) blocks_ = AlignedBuffer(values / kBlock * quantize_.block_bytes);
  if (needs & kNeedsSuperblocks) superblocks_ = AlignedBuffer(values / kBlock * quantize_superblocks_.block_bytes);
  if (needs & kNeedsFloat) floats_ = AlignedBuffer(values * sizeof(float));
  if (needs & kNeedsInt16) {
    int16_codes_ = AlignedBuffer(values * sizeof(int16_t));
    int16_rows_ = AlignedBuffer(static_cast<size_t>(rows) * sizeof(kernels::Int16Row));
  }
}

const void* Activations::blocks(const Matrix& m, int64_t row) const {
  const bool superblocks = (mlxr::needs(m) & kNeedsSuperblocks) != 0;
  const size_t block_bytes = superblocks ? quantize_superblocks_.block_bytes : quantize_.block_bytes;
  const size_t before = static_cast<size_t>(row) * static_cast<size_t>(cols_ / kBlock) * block_bytes;
  return (superblocks ? superblocks_ : blocks_).as<uint8_t>() + before;
}

void Activations::set_row(int64_t row, const float* x) {
  const auto quantize = [&](const kernels::Quantize& by, AlignedBuffer& to) {
    const size_t row_bytes = static_cast<size_t>(cols_ / kBlock) * by.block_bytes;
    by.run(x, cols_, to.as<uint8_t>() + static_cast<size_t>(row) * row_bytes);
  };
  if (needs_ & kNeedsCodes) quantize(quantize_, blocks_);
  if (needs_ & kNeedsSuperblocks) quantize(quantize_superblocks_, superblocks_);
  if (needs_ & kNeedsFloat) {
    std::memcpy(floats_.as<float>() + row * cols_, x, static_cast<size_t>(cols_) * sizeof(float));
  }
  if (needs_ & kNeedsInt16) {
    int16_rows_.as<kernels::Int16Row>()[row] =
        int16_kernels_.quantize(x, cols_, int16_codes_.as<int16_t>() + row * cols_);
  }
}

void matmul_panels(const Matrix& m, const Activations& x, float* y, int64_t ldy, int64_t begin, int64_t end,
                   const float* bias) {
  if (m.int16) return multiply_int16(m, x, 0, x.rows(), y, ldy, begin, end, bias);
  matmul_panel_rows(m, x, 0, x.rows(), y, ldy, begin, end, bias);
}

void matmul_panel_rows(const Matrix& m, const Activations& x, int64_t row, int64_t rows, float* y, int64_t ldy,
                       int64_t begin, int64_t end, const float* bias) {
  kernels::MatmulArgs args{};
  args.codes = m.codes.as<uint8_t>();
  args.scales = m.scales.as<uint8_t>();
  args.panel_code_bytes = m.panel_code_bytes;
  args.panel_scale_bytes = m.panel_scale_bytes;
  args.features = m.rows;
  args.cols = m.cols;
  args.scale_span = m.scale_span;
  args.map = m.map;
  args.table = m.table;
  args.begin = begin;
  args.end = end;
  args.rows = rows;
  args.alone = x.alone();
  args.x_blocks = x.blocks(m, row);
  args.x_floats = x.floats(row);
  args.y = y;
  args.ldy = ldy;
  kernel_table(m.isa).matmul[static_cast<size_t>(m.type)](args);
  if (bias == nullptr) return;
  const int64_t first = begin * kLanes, last = std::min(end * kLanes, m.rows);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t feature = first; feature < last; ++feature) y[r * ldy + feature] += bias[feature];
  }
}

void matmul(ThreadPool& pool, const Matrix& m, const float* x, int64_t rows, float* y) {
  Activations xs(rows, m.cols, needs(m), m.isa);
  pool.parallel([&](Team& team) {
    team.loop(rows, 4, [&](int64_t b, int64_t e) { xs.set_rows(b, e, x + b * m.cols, m.cols); });
    team.barrier();
    team.loop(m.panels(), m.grain(rows, team.size()),
              [&](int64_t b, int64_t e) { matmul_panels(m, xs, y, m.rows, b, e); });
  });
}

}  // namespace mlxr
