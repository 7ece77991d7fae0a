// A tile of 32 rows of x and 32 of the matrix, by a threadgroup of 128: four simdgroups with 16 x 16 each, two by two
// matrices of 8 x 8. `left` and `right` are tiles of float32, 64 columns wide; at the end `left` has the products.
template <int TYPE, int K>
inline void decode_tile(const device uchar* weight, const device uchar* values, uint rows, uint run, uint thread_index,
                        threadgroup float* right) {
  constexpr uint RUNS = K / 32, PARTS = Block<TYPE>::WEIGHTS_EACH / 32;
  uint row = thread_index / 2, part = run + thread_index % 2;
  if (row >= 32) return;
  threadgroup float* to = right + row * 64 + thread_index % 2 * 32;
  float weights[32];
  if (row < rows && part < RUNS) {
    size_t row_bytes = size_t(RUNS / PARTS) * Block<TYPE>::BYTES;
    const device uchar* block = weight + row * row_bytes + part / PARTS * Block<TYPE>::BYTES;
    Block<TYPE>::decode(block, part % PARTS, values, weights);
    for (uint i = 0; i < 32; ++i) to[i] = weights[i];
  } else {
    for (uint i = 0; i < 32; ++i) to[i] = 0;
  }
}

// `rows` rows of x and `outputs` of the matrix are there, 32 at most of each.
template <int TYPE, int N, int K, typename X, typename Out>
inline void multiply_tile(const device X* x, const device uchar* weight, const device uchar* values, uint rows,
                          uint outputs, device Out* out, threadgroup float* left, threadgroup float* right,
                          uint thread_index, uint simdgroup_index) {
  simdgroup_matrix<float, 8, 8> sums[2][2];
  for (uint i = 0; i < 2; ++i)
    for (uint j = 0; j < 2; ++j) sums[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
  uint top = simdgroup_index / 2 * 16, side = simdgroup_index % 2 * 16;
  for (uint begin = 0; begin < K; begin += 64) {
    decode_tile<TYPE, K>(weight, values, outputs, begin / 32, thread_index, right);
    for (uint i = thread_index; i < 32 * 64; i += 128) {
      uint row = i / 64, column = begin + i % 64;
      left[i] = row < rows && column < K ? float(x[size_t(row) * K + column]) : 0.0f;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint k = 0; k < 64; k += 8) {
      simdgroup_matrix<float, 8, 8> a[2], b[2];
      for (uint i = 0; i < 2; ++i) {
        simdgroup_load(a[i], left + (top + 8 * i) * 64 + k, 64);
        simdgroup_load(b[i], right + (side + 8 * i) * 64 + k, 64, 0, true);
      }
      for (uint i = 0; i < 2; ++i)
        for (uint j = 0; j < 2; ++j) simdgroup_multiply_accumulate(sums[i][j], a[i], b[j], sums[i][j]);
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
  }
  for (uint i = 0; i < 2; ++i)
    for (uint j = 0; j < 2; ++j) simdgroup_store(sums[i][j], left + (top + 8 * i) * 32 + side + 8 * j, 32);
  threadgroup_barrier(mem_flags::mem_threadgroup);
  for (uint i = thread_index; i < 32 * 32; i += 128) {
    uint row = i / 32, column = i % 32;
    if (row < rows && column < outputs) out[size_t(row) * N + column] = Out(left[i]);
  }
}
