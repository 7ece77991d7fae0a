#include "lanes_avx512.h"
#include "word_matmul.h"

namespace mlxr::kernels {
namespace {

struct Avx512Words : Avx512 {
  static constexpr int kWordRows = 12;

  static Ints no_products() { return _mm512_setzero_si512(); }
  static Bytes words(const int16_t* p) { return _mm512_loadu_si512(p); }
  // Adds each lane's pair of weights times the pair at x.
  [[gnu::always_inline]] static void add_products(Bytes w, const int16_t* x, Ints& total) {
    int pair;
    __builtin_memcpy(&pair, x, sizeof(pair));
    total = _mm512_dpwssd_epi32(total, w, _mm512_set1_epi32(pair));
  }
  static void round_words(const float* x, int64_t count, float inverse, int16_t* codes) {
    const __m512 scale = _mm512_set1_ps(inverse);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), scale));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i), _mm512_cvtsepi32_epi16(whole));
    }
    for (; i < count; ++i) codes[i] = static_cast<int16_t>(_mm_cvtss_si32(_mm_set_ss(x[i] * inverse)));
  }
};

}  // namespace

WordKernels avx512_words() { return {WordMatmul<Avx512Words>::multiply, WordMatmul<Avx512Words>::quantize}; }

}  // namespace mlxr::kernels
