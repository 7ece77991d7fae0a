// The kernels of one instruction set: functions over plain data.
//
// A file that is compiled for one instruction set includes no more than the arguments and the templates, so that no
// shared inline function is ever compiled with instructions that another CPU lacks.
#pragma once

#include <array>
#include <cstdint>

#include "base/isa.h"
#include "kernels/attention_args.h"
#include "kernels/int16_kernels.h"
#include "kernels/matmul_args.h"

namespace mlxr {

enum class Nonlinearity : uint8_t { Silu, GeluTanh, Gelu };

<<<<<<< HEAD:mlxr/metal/cpu/native/kernels/kernel_table.h
struct KernelTable {
=======
/// Keys of 16 tokens lie side by side (a group), so that one vector holds one dimension of consecutive tokens.
constexpr int kGroup = 16;
/// Softmax goes in blocks of this many groups, and keys in partitions of this many: both begin at fixed key positions,
/// whatever the batch.
constexpr int kBlockGroups = 4;
constexpr int kPartitionGroups = 32;

/// Keys and values of one sequence and one KV head, as they lie in the pool's pages (see PagePool).
struct PagedKeys {
  const uint16_t* keys;    // half precision, first page of the pool, at this head
  const uint16_t* values;  // likewise
  const int32_t* pages;    // the sequence's block table
  int64_t key_page;        // numbers from one page to the next
  int64_t value_page;
  int page_size;
  int length;      // tokens the sequence has
  int first_seen;  // groups before it are not read: their pages may have been given back
  int head_dim;
  int value_stride;  // numbers from one token's value to the next
};

/// Some query rows that share a KV head: `rows` queries of `head_dim` numbers, already scaled, and what each may see.
struct QueryRows {
  const float* query;       // [rows, head_dim]
  const float* last_seen;   // [rows] greatest visible position
  const float* first_seen;  // [rows] least visible position
  float softcap;
  int rows;
};

/// Softmax in progress: output = values / sum, both relative to exp(max).
struct Partial {
  float* max;     // [rows]
  float* sum;     // [rows]
  float* values;  // [rows, value_stride]
};

struct BlockKernels {
>>>>>>> 5743f44 (metal: the pool has pages for each cache group, windows give theirs back):mlxr/metal/cpu/native/kernels/block_kernels.h
  void (*rms_norm)(const float* x, const float* weight, int n, float eps, float* y);
  void (*layer_norm)(const float* x, const float* weight, const float* bias, int n, float eps, float* y);
  /// y += x
  void (*add)(const float* x, int64_t n, float* y);
  void (*scale)(float factor, int64_t n, float* y);
  /// y = cap * tanh(y / cap)
  void (*softcap)(float cap, int64_t n, float* y);
  /// up = f(gate) * up, or f(up) without a gate.
  void (*activate)(Nonlinearity kind, const float* gate, int64_t n, float* up);
  /// Float32 to half, values beyond half's range held at its ends: an infinity times a masked weight of 0 would be NaN.
  void (*to_half)(const float* x, int64_t n, uint16_t* y);
  /// Turn pairs of x[2 * half] by angles given as cosines and sines: (i, i + half), or neighbours (2i, 2i + 1).
  void (*rotate_halves)(const float* cosines, const float* sines, int half, float* x);
  void (*rotate_pairs)(const float* cosines, const float* sines, int half, float* x);

  /// Attention of `queries` to groups [begin, end) of one partition; writes `out` whole. `scratch`: rows * 64 floats.
  void (*attend)(const PagedKeys& keys, const QueryRows& queries, int begin, int end, float* scratch,
                 const Partial& out);
  /// Adds a later partition to an earlier one.
  void (*merge)(const Partial& part, int rows, int value_stride, const Partial& into);

  /// Index of the first maximum; -1 where there is a NaN.
  int64_t (*argmax)(const float* x, int64_t n);
  /// Sum of exp((x - shift) * factor).
  double (*exp_sum)(const float* x, int64_t n, float shift, float factor);
  /// Writes the indices of all x > above, ascending; returns how many. `ids` has room for n.
  int64_t (*indices_above)(const float* x, int64_t n, float above, int32_t* ids);

  /// Products with packed matrices, a function for each storage type.
  std::array<kernels::Matmul, kernels::kTypeCount> matmul;
  /// Activations to the blocks that `matmul` reads: rows that are multiplied together, and a single row.
  kernels::Quantize quantize;
  kernels::Quantize quantize_single_row;
  /// Products of 16-bit codes; without functions where the instruction set has none.
  kernels::Int16Kernels int16;
};

/// The table of `isa`, which must be one of usable_isas().
const KernelTable& kernel_table(Isa isa);

}  // namespace mlxr
