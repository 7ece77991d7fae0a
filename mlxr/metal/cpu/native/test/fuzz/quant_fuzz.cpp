// Feeds every type's reader and kernels blocks of random bytes, as a hostile file may hold them, for AddressSanitizer
// to watch: scales that are infinite or no number, codes of any kind, shapes that fill no whole blocks.
//
//   quant_fuzz [CASES [SEED]]
//
// Exits 1 where a shape that can't be is not refused, or a row of finite weights depends on its company.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>
#include <vector>

#include "quant/int16_matrix.h"
#include "quant/matrix.h"

namespace mlxr {
namespace {

int failures = 0;

void expect(bool holds, const char* what, unsigned long index) {
  if (holds) return;
  std::printf("case %lu: %s\n", index, what);
  ++failures;
}

template <class T>
std::vector<T> random_bits(std::mt19937_64& random, size_t count) {
  std::vector<T> values(count);
  auto* bytes = reinterpret_cast<uint8_t*>(values.data());
  const uint8_t fill = static_cast<uint8_t>(random());
  const bool one_byte = random() % 8 == 0;
  for (size_t i = 0; i < count * sizeof(T); ++i) bytes[i] = one_byte ? fill : static_cast<uint8_t>(random());
  return values;
}

// Activations that are infinite or no number make sums of codes that wrap: values without meaning, and nothing worse.
std::vector<float> random_finite(std::mt19937_64& random, size_t count) {
  std::vector<float> values = random_bits<float>(random, count);
  for (float& v : values) v = std::isfinite(v) ? v : 0.0f;
  return values;
}

// Any type, any shape that its blocks allow, any bits, on any instruction set.
void read_and_multiply(std::mt19937_64& random, unsigned long index) {
  const auto pick = [&](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
  };
  const TypeInfo& known = kTypes[random() % std::size(kTypes)];
  const int64_t rows = pick(1, 40), cols = known.block.values * pick(1, known.block.values == 256 ? 3 : 12);
  const auto isas = usable_isas();
  const Isa isa = isas[random() % isas.size()];
  auto data = random_bits<uint8_t>(random, static_cast<size_t>(rows) * row_bytes(known.type, cols));
  if (known.type == Type::CODEBOOK) {
    for (size_t at = 0; at < data.size(); at += sizeof(file::CODEBOOK)) {
      for (size_t i = 4; i < 20; ++i) data[at + i] = static_cast<uint8_t>(data[at + i] % 65 - 32);
    }
  }
  Extras extras;
  std::vector<float> scale, absmax, map = random_bits<float>(random, 16);
  if (known.type == Type::FP8_E4M3 && random() % 2) {
    const int64_t across = pick(0, 40), down = pick(1, 40);
    scale = random_bits<float>(
        random, across == 0 ? 1 : static_cast<size_t>(((rows + across - 1) / across) * ((cols + down - 1) / down)));
    extras = {.scale = scale.data(), .scale_rows = across, .scale_cols = across == 0 ? 0 : down};
  } else if (is_codebook(known.type)) {
    for (float& value : map) value = static_cast<float>(static_cast<int>(random() % 128) - 64);
    extras = {.map = map.data()};
  } else if (known.type == Type::NF4) {
    absmax = random_bits<float>(random, static_cast<size_t>((rows * cols + 63) / 64));
    extras = {.absmax = absmax.data(), .absmax_block = 64, .map = map.data()};
  }
  ThreadPool pool(static_cast<int>(pick(1, 3)));
  const auto matrix = random() % 2 ? pack(pool, known.type, rows, cols, data.data(), extras, isa)
                                   : pack(known.type, rows, cols, data.data(), extras, isa);
  std::vector<float> row(static_cast<size_t>(cols));
  bool finite = true;
  for (int64_t r = 0; r < rows; ++r) {
    dequantize_row(*matrix, r, row.data());
    for (const float v : row) finite = finite && std::isfinite(v);
  }
  const int64_t count = pick(1, 9);
  auto x = random_finite(random, static_cast<size_t>(count * cols));
  const bool tame = random() % 2;
  if (tame) {
    for (float& v : x) v = std::ldexp(static_cast<float>(static_cast<int32_t>(random())), -34);
  }
  std::vector<float> y(static_cast<size_t>(count * rows)), alone(static_cast<size_t>(rows));
  matmul(pool, *matrix, x.data(), count, y.data());
  matmul(pool, *matrix, x.data(), 1, alone.data());
  if (finite && tame) {
    expect(std::memcmp(alone.data(), y.data(), alone.size() * sizeof(float)) == 0, "a row depends on its company",
           index);
  }
}

void refuse_broken_blocks(std::mt19937_64& random, unsigned long index) {
  for (const TypeInfo& known : kTypes) {
    if (known.block.values == 1 || known.type == Type::NF4) continue;
    const int64_t cols =
        known.block.values + 1 + static_cast<int64_t>(random() % static_cast<uint64_t>(known.block.values - 1));
    const auto data = random_bits<uint8_t>(random, row_bytes(known.type, 2 * known.block.values));
    try {
      pack(known.type, 1, cols, data.data());
      expect(false, "columns that fill no whole blocks are taken", index);
    } catch (const std::invalid_argument&) {
    }
  }
}

void keep_int16_codes(std::mt19937_64& random) {
  const int64_t rows = 1 + static_cast<int64_t>(random() % 40), cols = 4 * (1 + static_cast<int64_t>(random() % 100));
  for (const Isa isa : usable_isas()) {
    if (!has_int16(isa, cols)) continue;
    const auto w = random_finite(random, static_cast<size_t>(rows * cols)),
               x = random_finite(random, static_cast<size_t>(cols));
    const auto matrix = pack_int16(rows, cols, w.data(), isa);
    std::vector<float> y(static_cast<size_t>(rows));
    ThreadPool pool(1);
    matmul(pool, *matrix, x.data(), 1, y.data());
  }
}

}  // namespace
}  // namespace mlxr

int main(int argc, char** argv) {
  const unsigned long cases = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20000;
  const unsigned long seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1;
  for (unsigned long i = 0; i < cases; ++i) {
    std::mt19937_64 random(seed << 32 | i);
    mlxr::read_and_multiply(random, i);
    if (i % 16 == 0) mlxr::refuse_broken_blocks(random, i);
    if (i % 16 == 8) mlxr::keep_int16_codes(random);
  }
  std::printf("%lu cases, %d failures\n", cases, mlxr::failures);
  return mlxr::failures == 0 ? 0 : 1;
}
