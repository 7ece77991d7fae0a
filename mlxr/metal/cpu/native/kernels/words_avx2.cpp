#include "lanes_avx2.h"
#include "word_matmul.h"

namespace mlxr::kernels {
namespace {

struct Avx2Words : Avx2 {
  static constexpr int kWordRows = 6;

  static Ints no_products() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static Bytes words(const int16_t* p) { return Avx2::load(reinterpret_cast<const uint8_t*>(p)); }
  // Adds each lane's pair of weights times the pair at x.
  [[gnu::always_inline]] static void add_products(Bytes w, const int16_t* x, Ints& total) {
    int pair;
    __builtin_memcpy(&pair, x, sizeof(pair));
    const __m256i both = _mm256_set1_epi32(pair);
    total.a = _mm256_add_epi32(total.a, _mm256_madd_epi16(w.a, both));
    total.b = _mm256_add_epi32(total.b, _mm256_madd_epi16(w.b, both));
    asm volatile("" : "+x"(total.a), "+x"(total.b));  // else GCC puts the additions behind all products, on the stack
  }
  static void round_words(const float* x, int64_t count, float inverse, int16_t* codes) {
    const __m256 scale = _mm256_set1_ps(inverse);
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
      const auto eight_at = [&](int64_t at) { return _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + at), scale)); };
      const __m256i both = _mm256_permute4x64_epi64(_mm256_packs_epi32(eight_at(i), eight_at(i + 8)), 0xd8);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i), both);
    }
    for (; i < count; ++i) codes[i] = static_cast<int16_t>(_mm_cvtss_si32(_mm_set_ss(x[i] * inverse)));
  }
};

}  // namespace

WordKernels avx2_words() { return {WordMatmul<Avx2Words>::multiply, WordMatmul<Avx2Words>::quantize}; }

}  // namespace mlxr::kernels
