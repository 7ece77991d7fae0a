// The AVX-512 instructions that lanes_avx512.h uses, in plain C++, so that its kernels are tested on machines without
// them.
//
// Include first: each intrinsic's name becomes a macro. Meanings are those of the Intel Intrinsics Guide.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

// Each instruction stays a function that is called: taken into every kernel, they cost the compiler minutes.
#define MLXR_INSTRUCTION [[gnu::noinline]]

namespace mlxr::emulated {

template <class T>
struct Vector {
  static constexpr int kCount = 64 / sizeof(T);
  T v[kCount];
};

// The same 64 bytes as other elements.
template <class To, class From>
Vector<To> as(const From& x) {
  static_assert(sizeof(From) == 64);
  Vector<To> out;
  std::memcpy(&out, &x, 64);
  return out;
}

using Integers = Vector<int32_t>;
using Floats = Vector<float>;

template <class T, class Value>
Vector<T> each(Value value) {
  Vector<T> out;
  for (int i = 0; i < Vector<T>::kCount; ++i) out.v[i] = static_cast<T>(value(i));
  return out;
}
template <class T, class Value>
Integers integers(Value value) {
  return as<int32_t>(each<T>(value));
}

// Elements of a narrower register.
template <class T, class Register>
T element(const Register& x, int i) {
  T out;
  std::memcpy(&out, reinterpret_cast<const char*>(&x) + sizeof(T) * static_cast<size_t>(i), sizeof(T));
  return out;
}

MLXR_INSTRUCTION inline Integers load(const void* p) {
  Integers out;
  std::memcpy(&out, p, sizeof(out));
  return out;
}
template <class T>
MLXR_INSTRUCTION Integers set1(T x) {
  return integers<T>([&](int) { return x; });
}
MLXR_INSTRUCTION inline Integers bit_and(Integers x, Integers y) {
  return each<int32_t>([&](int i) { return x.v[i] & y.v[i]; });
}
MLXR_INSTRUCTION inline Integers bit_or(Integers x, Integers y) {
  return each<int32_t>([&](int i) { return x.v[i] | y.v[i]; });
}
MLXR_INSTRUCTION inline Integers bit_xor(Integers x, Integers y) {
  return each<int32_t>([&](int i) { return x.v[i] ^ y.v[i]; });
}
template <class T>
MLXR_INSTRUCTION Integers shift_right(Integers x, int n) {
  return integers<T>([&, w = as<T>(x)](int i) { return w.v[i] >> n; });
}
template <class T>
MLXR_INSTRUCTION Integers shift_left(Integers x, int n) {
  return integers<T>([&, w = as<T>(x)](int i) { return w.v[i] << n; });
}
MLXR_INSTRUCTION inline Integers larger(Integers x, Integers y) {
  return each<int32_t>([&](int i) { return x.v[i] > y.v[i] ? x.v[i] : y.v[i]; });
}
MLXR_INSTRUCTION inline Integers shuffle_bytes(Integers x, Integers index) {
  const auto bytes = as<uint8_t>(x), at = as<uint8_t>(index);
  return integers<uint8_t>([&](int i) { return at.v[i] & 0x80 ? 0 : bytes.v[i / 16 * 16 + (at.v[i] & 15)]; });
}
MLXR_INSTRUCTION inline Integers repeat_128(__m128i x) {
  return each<int32_t>([&](int i) { return element<int32_t>(x, i % 4); });
}
MLXR_INSTRUCTION inline Integers dot_bytes(Integers sum, Integers x, Integers y) {
  const auto a = as<uint8_t>(x);
  const auto b = as<int8_t>(y);
  for (int i = 0; i < 64; ++i) sum.v[i / 4] += a.v[i] * b.v[i];
  return sum;
}
MLXR_INSTRUCTION inline Integers repeat_32(const void* p) {
  int32_t v;
  std::memcpy(&v, p, sizeof(v));
  return each<int32_t>([&](int) { return v; });
}
MLXR_INSTRUCTION inline Integers add(Integers x, Integers y) {
  return each<int32_t>([&](int i) { return x.v[i] + y.v[i]; });
}
template <class T>
MLXR_INSTRUCTION Integers difference(Integers x, Integers y) {
  return integers<T>([&, a = as<T>(x), b = as<T>(y)](int i) { return a.v[i] - b.v[i]; });
}
template <class T>
MLXR_INSTRUCTION Integers low_product(Integers x, Integers y) {
  return integers<T>(
      [&, a = as<T>(x), b = as<T>(y)](int i) { return static_cast<uint32_t>(a.v[i]) * static_cast<uint32_t>(b.v[i]); });
}
template <class T>
MLXR_INSTRUCTION Integers sum(Integers x, Integers y) {
  return integers<T>([&, a = as<T>(x), b = as<T>(y)](int i) { return a.v[i] + b.v[i]; });
}
MLXR_INSTRUCTION inline Integers multiply_bytes(Integers x, Integers y) {
  return integers<int16_t>([&, a = as<uint8_t>(x), b = as<int8_t>(y)](int i) {
    const int both = a.v[2 * i] * b.v[2 * i] + a.v[2 * i + 1] * b.v[2 * i + 1];
    return both < -32768 ? -32768 : both > 32767 ? 32767 : both;
  });
}
template <class To, class From, class Register>
MLXR_INSTRUCTION Integers widen(Register x) {
  return integers<To>([&](int i) { return element<From>(x, i); });
}
MLXR_INSTRUCTION inline __m256i narrow(Integers x) {
  int16_t out[16];
  for (int i = 0; i < 16; ++i) out[i] = static_cast<int16_t>(x.v[i]);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(out));
}
MLXR_INSTRUCTION inline __m256i narrow_saturated(Integers x) {
  for (int32_t& v : x.v) v = v < -32768 ? -32768 : v > 32767 ? 32767 : v;
  return narrow(x);
}
MLXR_INSTRUCTION inline void store_integers(void* p, Integers x) { std::memcpy(p, &x, sizeof(x)); }
MLXR_INSTRUCTION inline Integers dot_int16(Integers sum, Integers x, Integers y) {
  const auto a = as<int16_t>(x), b = as<int16_t>(y);
  for (int i = 0; i < 32; ++i) {
    sum.v[i / 2] = static_cast<int32_t>(static_cast<uint32_t>(sum.v[i / 2]) + static_cast<uint32_t>(a.v[i] * b.v[i]));
  }
  return sum;
}
MLXR_INSTRUCTION inline int largest(Integers x) {
  int out = x.v[0];
  for (const int32_t v : x.v) out = v > out ? v : out;
  return out;
}
MLXR_INSTRUCTION inline int total(Integers x) {
  int out = 0;
  for (const int32_t v : x.v) out += v;
  return out;
}

MLXR_INSTRUCTION inline Floats set1_floats(float x) {
  return each<float>([&](int) { return x; });
}
MLXR_INSTRUCTION inline void store(float* p, Floats x) { std::memcpy(p, &x, sizeof(x)); }
MLXR_INSTRUCTION inline Floats multiply(Floats x, Floats y) {
  return each<float>([&](int i) { return x.v[i] * y.v[i]; });
}
MLXR_INSTRUCTION inline Floats multiply_add(Floats x, Floats y, Floats z) {
  return each<float>([&](int i) { return std::fma(x.v[i], y.v[i], z.v[i]); });
}
MLXR_INSTRUCTION inline Floats add_floats(Floats x, Floats y) {
  return each<float>([&](int i) { return x.v[i] + y.v[i]; });
}
MLXR_INSTRUCTION inline Floats subtract(Floats x, Floats y) {
  return each<float>([&](int i) { return x.v[i] - y.v[i]; });
}
MLXR_INSTRUCTION inline Floats divide(Floats x, Floats y) {
  return each<float>([&](int i) { return x.v[i] / y.v[i]; });
}
// As the instructions, of two numbers the second where either is NaN.
MLXR_INSTRUCTION inline Floats larger_floats(Floats x, Floats y) {
  return each<float>([&](int i) { return x.v[i] > y.v[i] ? x.v[i] : y.v[i]; });
}
MLXR_INSTRUCTION inline Floats smaller_floats(Floats x, Floats y) {
  return each<float>([&](int i) { return x.v[i] < y.v[i] ? x.v[i] : y.v[i]; });
}
MLXR_INSTRUCTION inline Floats nearest(Floats x, int) {
  return each<float>([&](int i) { return std::nearbyint(x.v[i]); });
}
MLXR_INSTRUCTION inline uint16_t compare(Floats x, Floats y, int predicate) {
  uint16_t mask = 0;
  for (int i = 0; i < 16; ++i) {
    const bool holds = predicate == _CMP_LT_OQ ? x.v[i] < y.v[i] : std::isunordered(x.v[i], y.v[i]);
    mask = static_cast<uint16_t>(mask | holds << i);
  }
  return mask;
}
MLXR_INSTRUCTION inline Floats blend(uint16_t mask, Floats x, Floats y) {
  return each<float>([&](int i) { return mask >> i & 1 ? y.v[i] : x.v[i]; });
}
MLXR_INSTRUCTION inline __m256i narrow_floats(Floats x, int) {
  uint16_t out[16];
  for (int i = 0; i < 16; ++i) out[i] = _cvtss_sh(x.v[i], _MM_FROUND_TO_NEAREST_INT);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(out));
}
MLXR_INSTRUCTION inline float total_floats(Floats x) {
  float out = 0;
  for (const float v : x.v) out += v;
  return out;
}
template <class... Values>
MLXR_INSTRUCTION Floats in_order(Values... values) {
  return {{static_cast<float>(values)...}};
}
MLXR_INSTRUCTION inline Floats to_floats(Integers x) {
  return each<float>([&](int i) { return static_cast<float>(x.v[i]); });
}
MLXR_INSTRUCTION inline Integers round(Floats x) {
  return each<int32_t>([&](int i) { return _mm_cvtss_si32(_mm_set_ss(x.v[i])); });
}
MLXR_INSTRUCTION inline Floats widen_halves(__m256i x) {
  return each<float>([&](int i) { return _cvtsh_ss(element<uint16_t>(x, i)); });
}
MLXR_INSTRUCTION inline Floats permute(Integers index, Floats table) {
  return each<float>([&](int i) { return table.v[index.v[i] & 15]; });
}
// Of quarters by themselves: two numbers of x, then two of y, each chosen by two bits; and whole quarters likewise.
MLXR_INSTRUCTION inline Floats choose(Floats x, Floats y, int chosen) {
  return each<float>([&](int i) { return (i % 4 < 2 ? x : y).v[i / 4 * 4 + (chosen >> 2 * (i % 4) & 3)]; });
}
MLXR_INSTRUCTION inline Floats choose_quarters(Floats x, Floats y, int chosen) {
  return each<float>([&](int i) { return (i < 8 ? x : y).v[4 * (chosen >> 2 * (i / 4) & 3) + i % 4]; });
}
MLXR_INSTRUCTION inline Floats interleave(Floats x, Floats y, int first) {
  return each<float>([&](int i) { return (i % 2 == 0 ? x : y).v[i / 4 * 4 + first + i % 4 / 2]; });
}
MLXR_INSTRUCTION inline uint16_t equal_words(__m256i x, __m256i y) {
  uint16_t mask = 0;
  for (int i = 0; i < 16; ++i) {
    mask = static_cast<uint16_t>(mask | (element<uint16_t>(x, i) == element<uint16_t>(y, i)) << i);
  }
  return mask;
}
MLXR_INSTRUCTION inline __m256i blend_words(__m256i x, uint16_t mask, __m256i y) {
  uint16_t out[16];
  for (int i = 0; i < 16; ++i) out[i] = mask >> i & 1 ? element<uint16_t>(y, i) : element<uint16_t>(x, i);
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(out));
}

}  // namespace mlxr::emulated

#define __m512i mlxr::emulated::Integers
#define __m512 mlxr::emulated::Floats
#define __mmask16 uint16_t
#define _mm512_loadu_si512 mlxr::emulated::load
#define _mm512_set1_epi8 mlxr::emulated::set1<int8_t>
#define _mm512_set1_epi16 mlxr::emulated::set1<int16_t>
#define _mm512_set1_epi32 mlxr::emulated::set1<int32_t>
#define _mm512_and_si512 mlxr::emulated::bit_and
#define _mm512_or_si512 mlxr::emulated::bit_or
#define _mm512_xor_si512 mlxr::emulated::bit_xor
#define _mm512_srli_epi16 mlxr::emulated::shift_right<uint16_t>
#define _mm512_srai_epi16 mlxr::emulated::shift_right<int16_t>
#define _mm512_slli_epi16 mlxr::emulated::shift_left<uint16_t>
#define _mm512_srli_epi32 mlxr::emulated::shift_right<uint32_t>
#define _mm512_srai_epi32 mlxr::emulated::shift_right<int32_t>
#define _mm512_slli_epi32 mlxr::emulated::shift_left<uint32_t>
#define _mm512_max_epi32 mlxr::emulated::larger
#define _mm512_shuffle_epi8 mlxr::emulated::shuffle_bytes
#define _mm512_broadcast_i32x4 mlxr::emulated::repeat_128
#define _mm512_setzero_si512() mlxr::emulated::set1<int32_t>(0)
#define _mm512_add_epi32 mlxr::emulated::add
#define _mm512_add_epi16 mlxr::emulated::sum<uint16_t>
#define _mm512_maddubs_epi16 mlxr::emulated::multiply_bytes
#define _mm512_sub_epi8 mlxr::emulated::difference<uint8_t>
#define _mm512_sub_epi16 mlxr::emulated::difference<uint16_t>
#define _mm512_sub_epi32 mlxr::emulated::difference<uint32_t>
#define _mm512_mullo_epi16 mlxr::emulated::low_product<uint16_t>
#define _mm512_mullo_epi32 mlxr::emulated::low_product<uint32_t>
#define _mm512_cvtepu8_epi32 mlxr::emulated::widen<int32_t, uint8_t>
#define _mm512_cvtepi8_epi32 mlxr::emulated::widen<int32_t, int8_t>
#define _mm512_cvtepi8_epi16 mlxr::emulated::widen<int16_t, int8_t>
#define _mm512_cvtepu8_epi16 mlxr::emulated::widen<int16_t, uint8_t>
#define _mm512_cvtepu16_epi32 mlxr::emulated::widen<int32_t, uint16_t>
#define _mm512_cvtepi32_epi16 mlxr::emulated::narrow
#define _mm512_reduce_max_epi32 mlxr::emulated::largest
#define _mm512_reduce_add_epi32 mlxr::emulated::total
#define _mm512_setzero_ps() mlxr::emulated::set1_floats(0.0f)
#define _mm512_set1_ps mlxr::emulated::set1_floats
#define _mm512_loadu_ps(p) mlxr::emulated::as<float>(mlxr::emulated::load(p))
#define _mm512_storeu_ps mlxr::emulated::store
#define _mm512_mul_ps mlxr::emulated::multiply
#define _mm512_fmadd_ps mlxr::emulated::multiply_add
#define _mm512_xor_ps(x, y) \
  mlxr::emulated::as<float>(mlxr::emulated::bit_xor(mlxr::emulated::as<int32_t>(x), mlxr::emulated::as<int32_t>(y)))
#undef _mm512_setr_ps
#undef _mm512_roundscale_ps
#undef _mm512_cvtps_ph
#undef _mm512_cmp_ps_mask
#undef _mm512_shuffle_ps
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_ps mlxr::emulated::choose
#define _mm512_shuffle_f32x4 mlxr::emulated::choose_quarters
#define _mm512_unpacklo_ps(x, y) mlxr::emulated::interleave(x, y, 0)
#define _mm512_unpackhi_ps(x, y) mlxr::emulated::interleave(x, y, 2)
#define _mm512_storeu_si512 mlxr::emulated::store_integers
#define _mm512_dpwssd_epi32 mlxr::emulated::dot_int16
#define _mm512_cvtsepi32_epi16 mlxr::emulated::narrow_saturated
#define _mm512_reduce_add_ps mlxr::emulated::total_floats
#define _mm512_add_ps mlxr::emulated::add_floats
#define _mm512_sub_ps mlxr::emulated::subtract
#define _mm512_div_ps mlxr::emulated::divide
#define _mm512_max_ps mlxr::emulated::larger_floats
#define _mm512_min_ps mlxr::emulated::smaller_floats
#define _mm512_roundscale_ps mlxr::emulated::nearest
#define _mm512_cmp_ps_mask mlxr::emulated::compare
#define _mm512_mask_blend_ps mlxr::emulated::blend
#define _mm512_cvtps_ph mlxr::emulated::narrow_floats
#define _mm512_setr_ps mlxr::emulated::in_order
#define _mm512_cvtepi32_ps mlxr::emulated::to_floats
#define _mm512_cvtps_epi32 mlxr::emulated::round
#define _mm512_cvtph_ps mlxr::emulated::widen_halves
#define _mm512_castsi512_ps mlxr::emulated::as<float>
#define _mm512_castps_si512 mlxr::emulated::as<int32_t>
#define _mm512_permutexvar_ps mlxr::emulated::permute
#define _mm256_cmpeq_epi16_mask mlxr::emulated::equal_words
#define _mm256_mask_mov_epi16 mlxr::emulated::blend_words
