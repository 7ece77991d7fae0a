// 16-bit codes in the tiles of Intel's Advanced Matrix Extensions (Instruction Set Extensions Programming Reference,
// chapter 3).
//
// A code is 256 times a signed byte and an unsigned one. Tiles multiply bytes of 64 input features, 16 rows and 16
// lanes at a time, so that a product of codes is four of bytes. Their sums meet in 32 bits, where wrapping does no harm
// (see int16_kernels.h): the result is the same integer as without tiles.
#include "kernels/int16_kernels.h"

#include "kernels/tiles.h"

#ifdef MLXR_TILES

#include <algorithm>

#include "kernels/int16_lanes_avx512.h"

namespace mlxr::kernels {
namespace {

// Tiles 0 to 3 add up, 4 and 5 hold `rows` rows of activations, 6 and 7 weights; high bytes, then low ones.
void configure(int64_t rows) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) config.set(tile, tile < 6 ? rows : kTileRows, kTileRowBytes);
  Tiles::configure(config);
}

struct AmxInt16 : Avx512Int16 {
  // A row's high bytes, then its low ones.
  static void round_int16(const float* x, int64_t cols, float inverse, int16_t* codes) {
    const __m512 scale = _mm512_set1_ps(inverse);
    uint8_t* const high = reinterpret_cast<uint8_t*>(codes);
    for (int64_t i = 0; i < cols; i += 16) {
      const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + i), scale));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(high + i), _mm512_cvtepi32_epi8(_mm512_srai_epi32(whole, 8)));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(high + cols + i), _mm512_cvtepi32_epi8(whole));
    }
  }
};

using Products = Int16Matmul<AmxInt16>;

// A panel keeps, for every 64 input features, a tile of high bytes and one of low ones: 16 rows of four features a
// lane.
int64_t offset_of(int64_t col, int64_t lane) {
  return col / kTileRowBytes * 2 * kTileBytes + col % kTileRowBytes / 4 * kTileRowBytes + lane * 4 + col % 4;
}

void pack_row(const int16_t* codes, int64_t cols, int64_t lane, int16_t* panel) {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(codes);
  uint8_t* to = reinterpret_cast<uint8_t*>(panel);
  for (int64_t col = 0; col < cols; ++col) {
    to[offset_of(col, lane)] = from[col];
    to[offset_of(col, lane) + kTileBytes] = from[cols + col];
  }
}

void unpack_row(const int16_t* panel, int64_t cols, int64_t lane, int16_t* codes) {
  const uint8_t* from = reinterpret_cast<const uint8_t*>(panel);
  for (int64_t col = 0; col < cols; ++col) {
    const int high = static_cast<int8_t>(from[offset_of(col, lane)]), low = from[offset_of(col, lane) + kTileBytes];
    codes[col] = static_cast<int16_t>(high * 256 + low);
  }
}

// As many rows as the tiles are configured for, times one panel.
void multiply_tile(const Int16Args& a, int64_t panel, int64_t first, int64_t rows) {
  const uint8_t* w = reinterpret_cast<const uint8_t*>(a.weights + panel * a.cols * kLanes);
  const uint8_t* x = reinterpret_cast<const uint8_t*>(a.x + first * a.cols);
  const int64_t row_bytes = 2 * a.cols;
  Tiles::zero<0>();
  Tiles::zero<1>();
  Tiles::zero<2>();
  Tiles::zero<3>();
  for (int64_t col = 0; col < a.cols; col += kTileRowBytes, w += 2 * kTileBytes) {
    Tiles::load<4>(x + col, row_bytes);
    Tiles::load<5>(x + a.cols + col, row_bytes);
    Tiles::load<6>(w, kTileRowBytes);
    Tiles::load<7>(w + kTileBytes, kTileRowBytes);
    Tiles::add_products<0, 4, 6, true, true>();
    Tiles::add_products<1, 4, 7, true, false>();
    Tiles::add_products<2, 5, 6, false, true>();
    Tiles::add_products<3, 5, 7, false, false>();
  }
  alignas(64) int32_t sums[4][kTileRows][kLanes];
  Tiles::store<0>(sums[0]);
  Tiles::store<1>(sums[1]);
  Tiles::store<2>(sums[2]);
  Tiles::store<3>(sums[3]);
  for (int64_t row = 0; row < rows; ++row) {
    const auto of = [&](int tile) { return _mm512_load_si512(sums[tile][row]); };
    const __m512i high = _mm512_slli_epi32(of(0), 16), middle = _mm512_slli_epi32(_mm512_add_epi32(of(1), of(2)), 8);
    _mm512_store_si512(sums[0][row], _mm512_add_epi32(_mm512_add_epi32(high, middle), of(3)));
  }
  Products::store_products(a, panel, first, first + rows, sums[0]);
}

void multiply(const Int16Args& a) {
  const int64_t whole = a.rows / kTileRows * kTileRows;
  if (whole > 0) {
    configure(kTileRows);
    for (int64_t panel = a.begin; panel < a.end; ++panel) {
      for (int64_t row = 0; row < whole; row += kTileRows) multiply_tile(a, panel, row, kTileRows);
    }
  }
  if (whole < a.rows) {
    configure(a.rows - whole);
    for (int64_t panel = a.begin; panel < a.end; ++panel) multiply_tile(a, panel, whole, a.rows - whole);
  }
  Tiles::release();
}

}  // namespace

Int16Kernels amx_int16() { return {multiply, Products::quantize, pack_row, unpack_row, 128, kTileRowBytes}; }

}  // namespace mlxr::kernels

#elif defined(__x86_64__)

namespace mlxr::kernels {

Int16Kernels amx_int16() { return {}; }

}  // namespace mlxr::kernels

#endif
