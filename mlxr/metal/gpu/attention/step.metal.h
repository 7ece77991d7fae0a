// What a step of one token a sequence shares with nobody else: lanes of a key, and what threadgroups of one
// dispatch leave each other. For that Metal 3.2 is needed (macOS 15): before it, no fence reached beyond a threadgroup.
#if __METAL_VERSION__ < 320
#error "attention in one dispatch needs macOS 15"
#endif
#include <metal_atomic>

#define COHERENT coherent(device)

constant constexpr float LOG2_E = 1.44269504f;
constant constexpr float LOWEST = -1e30f;  // below every score, and finite, so that no difference is not a number

inline void device_fence() {
  metal::atomic_thread_fence(mem_flags::mem_device, memory_order_seq_cst, thread_scope_device);
}

// Lanes that have EACH numbers of a key each: a power of two.
constexpr uint lanes_of(uint dims, uint each) {
  uint lanes = 1;
  while (lanes * each < dims) lanes *= 2;
  return lanes;
}

inline float4 four_at(const threadgroup float* from) { return float4(from[0], from[1], from[2], from[3]); }

// The first key that a query at `position` sees.
inline uint first_seen(uint position, uint window, bool chunked) {
  if (window == 0) return 0;
  if (chunked) return position / window * window;
  return position + 1 > window ? position + 1 - window : 0;
}

// Keys of a split: more where a row sees many, so that there are not too many splits to add up. A row's splits depend
// on its own length alone.
inline uint split_keys_of(uint keys, uint fewest) {
  return keys < 32 * fewest ? fewest : keys < 256 * fewest ? 4 * fewest : 16 * fewest;
}
