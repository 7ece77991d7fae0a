// What attention kernels take: where keys and values lie, and some query rows.
#pragma once

#include <cstdint>

namespace mlxr {

/// Keys of 16 tokens lie side by side (a group), so that one vector holds one dimension of consecutive tokens.
constexpr int kGroup = 16;
/// Softmax goes in blocks of this many groups, and keys in partitions of this many: both begin at fixed key positions,
/// whatever the batch.
constexpr int kBlockGroups = 4;
constexpr int kPartitionGroups = 32;
constexpr int kBlockKeys = kBlockGroups * kGroup;

/// How pages keep numbers: half precision, or codes of 8 bits with half-precision scales (PagePool).
enum class NumberType : uint8_t { Half, Int8 };

/// Numbers of a vector of codes that share a scale.
constexpr int kCodeBlock = 32;
constexpr int code_blocks(int numbers) { return (numbers + kCodeBlock - 1) / kCodeBlock; }

/// Floats that a row of queries takes where it is quantized to meet keys that are codes.
constexpr int query_code_floats(int head_dim) { return code_blocks(head_dim) * 23; }
/// Floats that a block of keys takes where latents that are codes become half precision.
constexpr int latent_block_floats(int row) { return kBlockKeys * row / 2; }

/// Keys and values of one sequence and one KV head, as they lie in the pool's pages (see PagePool).
struct PagedKeys {
  const uint8_t* keys;    // first page of the pool, at this head
  const uint8_t* values;  // likewise
  const int32_t* pages;   // the sequence's block table
  int64_t key_page;       // bytes from one page to the next
  int64_t value_page;
  int64_t key_group;  // bytes from one group to the next
  int64_t value_group;
  NumberType key_type;
  NumberType value_type;
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
  const float* position;    // [rows] its own
  const float* slope;       // [rows] what a key's distance takes off its score; null for nothing
  float softcap;
  int rows;
};

/// Softmax in progress: output = values / sum, both relative to exp(max).
struct Partial {
  float* max;     // [rows]
  float* sum;     // [rows]
  float* values;  // [rows, value_stride]
};

}  // namespace mlxr
