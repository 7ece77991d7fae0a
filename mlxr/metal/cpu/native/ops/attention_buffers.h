// What the phases of attention have for themselves of a step's memory. For `attention.cpp` and `attention_items.cpp`.
#pragma once

#include "ops/attention.h"
#include "ops/partials.h"

namespace mlxr {

/// A row's query, the first and last position it sees, its own and its slope, its scores, and its query as codes.
inline int64_t row_floats(int head_dim) { return head_dim + kBlockKeys + 4 + query_code_floats(head_dim); }

/// A thread's scratch for one item: its rows, then two partials.
inline int64_t item_floats(int rows, int head_dim, int stride) {
  return lines(rows * row_floats(head_dim)) + 2 * partial_floats(rows, stride);
}

/// Everything the phases read and write, looked up once a thread.
struct AttentionOperation::Buffers {
  Activations& inputs;
  Activations& mixed_inputs;
  float* query;   // [tokens, heads * head_dim]
  float* key;     // [tokens, kv_heads * head_dim]
  float* value;   // likewise
  float* mixed;   // [tokens, heads * head_dim]
  float* result;  // [tokens, width]
  float* partials;
  LayerPages pages;
  int64_t query_width;
  int64_t key_width;
};

}  // namespace mlxr
