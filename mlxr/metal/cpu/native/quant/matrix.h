// Quantized matrix multiplication: y = x W^T with W kept in the file's own bits.
//
// A matrix is packed once at load: kLanes output features lie side by side (a panel), so that one SIMD lane is one
// output feature. Activations are float32 rows, quantized once to 16 bits with a float32 scale per 32 values, or per
// 256 where an instruction set sums up whole superblocks of the weights (kernels/superblock_matmul.h).
//
// Every output element is summed over the input features in one fixed order, whatever the number of activation rows,
// the number of threads or the way panels are shared out: a row gives the same bits alone and in any batch.
//
// In a parallel region, to fuse several products into one phase:
//
//   Activations xs(rows, cols, needs(*q) | needs(*k));                      // allocates, one thread
//   pool.parallel([&](Team& team) {
//     team.loop(rows, 1, [&](int64_t r, int64_t end) { for (; r < end; ++r) xs.set_row(r, normed_row(r)); });
//     team.barrier();
//     for (const Matrix* m : {q, k}) {
//       team.loop(m->panels(), m->grain(rows, team.size()),
//                 [&](int64_t begin, int64_t end) { matmul_panels(*m, xs, y_of(m), m->rows, begin, end); });
//     }
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/aligned_buffer.h"
#include "base/constants.h"
#include "base/isa.h"
#include "base/threadpool.h"
#include "quant/formats.h"
#include "quant/packed_layout.h"

namespace mlxr {

namespace kernels {
struct Quantize;
struct Int16Kernels;
struct Int16Row;
}  // namespace kernels

// What a type keeps beside its blocks.
struct Extras {
  // FP8_E4M3: [ceil(rows / scale_rows), ceil(cols / scale_cols)] scales; scale_rows 0: one scale for the tensor;
  // null: none. NVFP4 may have one for the tensor, or for every scale_rows rows.
  const float* scale = nullptr;
  int64_t scale_rows = 0;
  int64_t scale_cols = 0;
  // NF4: one absmax for every absmax_block values of the flattened matrix, already un-nested, and the 16 code values.
  const float* absmax = nullptr;
  int64_t absmax_block = 0;
  const float* map = nullptr;  // codebooks likewise, whole numbers from -64 to 63
};

class Matrix {
 public:
  Type type{};
  int64_t rows = 0;      // output features
  int64_t cols = 0;      // input features
  Isa isa{};             // kernels that multiply with it
  bool int16 = false;    // F32 kept as 16-bit codes (quant/int16_matrix.h)
  AlignedBuffer codes;   // weights, panel after panel (quant/packed_layout.h)
  AlignedBuffer scales;  // scales, in the same order
  size_t panel_code_bytes = 0;
  size_t panel_scale_bytes = 0;
  int64_t scale_span = 0;  // FP8_E4M3, NF4: input features that share a scale
  float map[16] = {};      // NF4: code values
  uint8_t table[16] = {};  // types whose codes are indices: what they stand for, with packed::table_bias

  int64_t panels() const { return (rows + kLanes - 1) / kLanes; }
  size_t nbytes() const { return codes.size() + scales.size(); }
  // Panels that each of `threads` should take at a time for this many activation rows: so many that sharing them out
  // costs little, and so few that all threads have work.
  int64_t grain(int64_t activation_rows, int threads) const;
};

// Repacks `data` (rows * row_bytes(type, cols) bytes as in the file), which may be dropped afterwards; on the pool's
// threads, or on the caller's alone, which then calls `pause` after every panel. The packed form is the same for every
// instruction set.
// Throws std::invalid_argument when cols do not fill whole blocks or an extra is missing.
std::shared_ptr<const Matrix> pack(ThreadPool& pool, Type type, int64_t rows, int64_t cols, const uint8_t* data,
                                   const Extras& extras = {}, Isa isa = best_isa());
std::shared_ptr<const Matrix> pack(Type type, int64_t rows, int64_t cols, const uint8_t* data,
                                   const Extras& extras = {}, Isa isa = best_isa(),
                                   const std::function<void()>& pause = {});

// Forms of the activations that a matrix multiplies with; combine with |. kNeedsAlone: rows are multiplied one at a
// time, as is the only row of activations that have no other.
enum Needs : unsigned { kNeedsCodes = 1, kNeedsFloat = 2, kNeedsInt16 = 4, kNeedsAlone = 8, kNeedsSuperblocks = 16 };
inline unsigned needs(const Matrix& m) {
  if (m.int16) return kNeedsInt16;
  if (is_floating(m.type)) return kNeedsFloat;
  return m.isa == Isa::Amx && packed::has_superblock_sums(m.type) ? kNeedsSuperblocks : kNeedsCodes;
}

// T rows of activations in the forms that kernels read. Rows may be set concurrently.
class Activations {
 public:
  // Contents are undefined until each row is set. Codes need cols to be a multiple of 32.
  Activations(int64_t rows, int64_t cols, unsigned needs, Isa isa = best_isa());

  // Takes over one row (cols float32, copied). Blocks whose largest magnitude is below 2^-100 count as zero.
  void set_row(int64_t row, const float* x);
  void set_rows(int64_t begin, int64_t end, const float* x, int64_t ldx) {
    for (int64_t r = begin; r < end; ++r) set_row(r, x + (r - begin) * ldx);
  }

  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  // Whether codes are in the form of rows that are multiplied alone.
  bool alone() const { return rows_ == 1 || (needs_ & kNeedsAlone) != 0; }

  // Read by kernels: [rows, cols / 32] blocks, as `m` needs them, [rows, cols] floats; null where not needed.
  const void* blocks(const Matrix& m, int64_t row = 0) const;
  const float* floats(int64_t row = 0) const { return floats_.as<float>() + row * cols_; }
  // Likewise [rows, cols] codes and what belongs to each row of them.
  const int16_t* int16_codes() const { return int16_codes_.as<int16_t>(); }
  const kernels::Int16Row* int16_rows() const { return int16_rows_.as<kernels::Int16Row>(); }

 private:
  int64_t rows_, cols_;
  unsigned needs_;
  const kernels::Quantize &quantize_, &quantize_superblocks_;
  const kernels::Int16Kernels& int16_kernels_;
  AlignedBuffer blocks_, superblocks_, floats_, int16_codes_, int16_rows_;
};

// y[t * ldy + feature] for every activation row t and the features of panels [begin, end). Call from any thread; calls
// with disjoint panels may run at the same time. A bias [m.rows] is added to every row.
void matmul_panels(const Matrix& m, const Activations& x, float* y, int64_t ldy, int64_t begin, int64_t end,
                   const float* bias = nullptr);

// The same for activation rows [row, row + rows) alone; y is where the first of them begins. Not for int16 matrices.
void matmul_panel_rows(const Matrix& m, const Activations& x, int64_t row, int64_t rows, float* y, int64_t ldy,
                       int64_t begin, int64_t end, const float* bias);

// The whole product on the pool: y[rows, m.rows] from x[rows, m.cols], both dense float32.
void matmul(ThreadPool& pool, const Matrix& m, const float* x, int64_t rows, float* y);

// Weights of one output feature as float32: y[m.cols] (embedding lookup on the packed form).
void dequantize_row(const Matrix& m, int64_t row, float* y);

}  // namespace mlxr
