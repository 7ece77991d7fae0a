// Checks every type on every instruction set that this machine runs, against sums in double precision; then that a
// row's result does not depend on its company. Exits 1 and names what differs.
//
//   matmul_test                       all checks
//   matmul_test dequantize TYPE ROWS COLS   reads blocks from standard input, writes float32 to standard output
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <string>

#include "kernels/matmul_args.h"
#include "quant/int16_matrix.h"
#include "test/kernels/random_matrix.h"

namespace mlxr::test {
namespace {

int failures = 0;

#define REPORT(...) (++failures < 40 ? (void)(std::printf(__VA_ARGS__), std::printf("\n")) : (void)0)

std::vector<float> multiply(const Matrix& m, const std::vector<float>& x, int64_t rows, int threads = 1) {
  std::vector<float> y(static_cast<size_t>(rows * m.rows), -1.0f);
  ThreadPool pool(threads);
  matmul(pool, m, x.data(), rows, y.data());
  return y;
}

// A Q8_0 matrix of 32 x 32 that is one on its diagonal.
std::shared_ptr<const Matrix> identity(Isa isa) {
  std::vector<uint8_t> data(32 * row_bytes(Type::Q8_0, 32));
  for (int i = 0; i < 32; ++i) {
    put16(&data[static_cast<size_t>(34 * i)], 0x3c00);
    data[static_cast<size_t>(34 * i + 2 + i)] = 1;
  }
  return pack(Type::Q8_0, 32, 32, data.data(), {}, isa);
}

// The activations as products of whole superblocks see them: by definition, as no others have that form of them.
std::vector<double> seen_superblocks(int64_t cols, const std::vector<float>& x) {
  std::vector<double> seen;
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(cols)) {
    for (int64_t at = 0; at < cols; at += kernels::kActivationSpan) {
      const auto first = x.begin() + static_cast<long>(row) + at;
      const auto last = first + std::min<int64_t>(kernels::kActivationSpan, cols - at);
      float largest = 0;
      for (auto value = first; value < last; ++value) largest = std::max(largest, std::abs(*value));
      const bool zero = largest < 0x1p-100f;
      const float scale = zero ? 0 : largest / kernels::kLargestActivation;
      const float inverse = zero ? 0 : kernels::kLargestActivation / largest;
      for (auto value = first; value < last; ++value) {
        seen.push_back(static_cast<double>(scale) * static_cast<double>(std::nearbyint(*value * inverse)));
      }
    }
  }
  return seen;
}

// The activations as the kernels see them. Blocks of 32 are quantized alone, so they may as well be rows.
std::vector<double> seen_activations(const Matrix& m, const std::vector<float>& x) {
  if (is_floating(m.type)) return {x.begin(), x.end()};
  if (needs(m) & kNeedsSuperblocks) return seen_superblocks(m.cols, x);
  const std::vector<float> y = multiply(*identity(m.isa), x, static_cast<int64_t>(x.size() / 32));
  for (size_t i = 0; i < x.size(); ++i) {
    const auto block = x.begin() + static_cast<long>(i / 32 * 32);
    const auto [least, most] = std::minmax_element(block, block + 32);
    const double step =
        std::max(-static_cast<double>(*least), static_cast<double>(*most)) / kernels::kLargestActivation;
    if (std::abs(static_cast<double>(y[i]) - x[i]) > 0.503 * step + 1e-30) {
      REPORT("quantize: %g became %g, step %g", x[i], y[i], step);
    }
  }
  return {y.begin(), y.end()};
}

void check_against_double(const FileMatrix& file, Isa isa, int64_t rows, Fill fill) {
  const auto m = file.packed(isa);
  const std::vector<float> x = make_activations(rows, file.cols, fill, 7 + static_cast<uint64_t>(rows));
  const std::vector<double> seen = seen_activations(*m, x);
  const std::vector<float> y = multiply(*m, x, rows);
  std::vector<float> w(static_cast<size_t>(file.cols));
  for (int64_t feature = 0; feature < file.rows; ++feature) {
    dequantize_row(*m, feature, w.data());
    for (int64_t row = 0; row < rows; ++row) {
      double sum = 0, magnitude = 0;
      for (int64_t i = 0; i < file.cols; ++i) {
        const double product =
            static_cast<double>(w[static_cast<size_t>(i)]) * seen[static_cast<size_t>(row * file.cols + i)];
        sum += product;
        magnitude += std::abs(product);
      }
      // Offsets and minima cancel: their terms are larger than the products by up to this factor.
      const double tolerance = 4e-6 * magnitude + 1e-30;
      const double got = y[static_cast<size_t>(row * file.rows + feature)];
      if (!(std::abs(got - sum) <= tolerance) && !(std::isinf(got) && std::abs(sum) > 3e38)) {
        REPORT("%s %s %ldx%ld rows %ld: y[%ld, %ld] = %g, not %g (terms %g)", name(isa).data(),
               info(file.type).name.data(), static_cast<long>(file.rows), static_cast<long>(file.cols),
               static_cast<long>(rows), static_cast<long>(row), static_cast<long>(feature), got, sum, magnitude);
      }
    }
  }
}

bool same_bits(float a, float b) { return std::memcmp(&a, &b, sizeof(a)) == 0; }

// Rows alone, in batches, on more threads and panel by panel: the same bits.
void check_invariance(const FileMatrix& file, Isa isa) {
  constexpr int64_t kRows = 71;
  const auto m = file.packed(isa);
  const std::vector<float> x = make_activations(kRows, file.cols, Fill::Random, 3);
  const std::vector<float> whole = multiply(*m, x, kRows);
  const size_t features = static_cast<size_t>(file.rows);
  for (const int64_t batch : {1, 2, 3, 4, 7, 16, 33, 64}) {
    for (int64_t first = 0; first + batch <= kRows; first += batch) {
      const std::vector<float> part(x.begin() + first * file.cols, x.begin() + (first + batch) * file.cols);
      const std::vector<float> y = multiply(*m, part, batch, 1 + static_cast<int>(batch % 3));
      for (size_t i = 0; i < y.size(); ++i) {
        if (!same_bits(y[i], whole[static_cast<size_t>(first) * features + i])) {
          REPORT("%s %s: row %ld differs in a batch of %ld", name(isa).data(), info(file.type).name.data(),
                 static_cast<long>(first), static_cast<long>(batch));
          return;
        }
      }
    }
  }
}

// Integer sums are exact and floats are rounded in one order, so instruction sets with fused multiply-add agree to the
// bit, but where one sums up whole superblocks, whose activations have other scales.
void check_instruction_sets_agree(const FileMatrix& file, int64_t rows, const std::vector<Isa>& isas) {
  const std::vector<float> x = make_activations(rows, file.cols, Fill::Random, 11);
  std::vector<float> first;
  for (const Isa isa : isas) {
    const auto m = file.packed(isa);
    if (isa == Isa::Portable || (needs(*m) & kNeedsSuperblocks)) continue;
    const std::vector<float> y = multiply(*m, x, rows);
    if (!first.empty() && std::memcmp(first.data(), y.data(), y.size() * sizeof(float)) != 0) {
      REPORT("%s %s differs from %s with %ld rows", name(isa).data(), info(file.type).name.data(),
             name(isas.front()).data(), static_cast<long>(rows));
    }
    if (first.empty()) first = y;
  }
}

// Error of products with heavy-tailed activations, against double precision on the same weights, relative to the
// products'.
void check_fidelity(const FileMatrix& file, Isa isa) {
  constexpr int64_t kRows = 32;
  const auto m = file.packed(isa);
  std::vector<float> x = make_activations(kRows, file.cols, Fill::Random, 13);
  for (float& v : x) v *= v * v;
  const std::vector<float> y = multiply(*m, x, kRows);
  std::vector<float> w(static_cast<size_t>(file.cols));
  double error = 0, size = 0;
  for (int64_t feature = 0; feature < file.rows; ++feature) {
    dequantize_row(*m, feature, w.data());
    for (int64_t row = 0; row < kRows; ++row) {
      const double exact = std::inner_product(w.begin(), w.end(), x.begin() + row * file.cols, 0.0);
      error += std::pow(y[static_cast<size_t>(row * file.rows + feature)] - exact, 2);
      size += exact * exact;
    }
  }
  if (!(error < 1e-8 * size)) {
    REPORT("%s %s: relative error %g", name(isa).data(), info(file.type).name.data(), std::sqrt(error / size));
  }
}

void check_size(const FileMatrix& file) {
  const auto m = file.packed(Isa::Portable);
  const double extra = 4.0 * static_cast<double>(file.scale.size() + file.absmax.size());
  const double ratio = static_cast<double>(m->nbytes()) / (static_cast<double>(file.data.size()) + extra);
  const double padding = static_cast<double>(m->panels() * kLanes) / static_cast<double>(m->rows);
  if (ratio > 1.15 * padding) REPORT("%s takes %.3f of its file's bytes", info(file.type).name.data(), ratio);
}

void check_type(Type type, const std::vector<Isa>& isas) {
  const int values = info(type).block.values;
  const int64_t narrow = values == 256 ? 256 : values == 64 ? 192 : 96;
  for (const Isa isa : isas) {
    for (const auto& [features, cols] : {std::pair<int64_t, int64_t>{1, narrow}, {16, 512}, {37, 768}, {70, narrow}}) {
      const FileMatrix file = make_matrix(type, features, cols, Fill::Random, 1);
      for (const int64_t rows : {0, 1, 2, 3, 5, 9, 17, 35}) check_against_double(file, isa, rows, Fill::Random);
    }
    for (const Fill fill : {Fill::Largest, Fill::Denormal, Fill::Huge}) {
      const FileMatrix file =
          make_matrix(type, 17, 256, type == Type::F32 && fill == Fill::Largest ? Fill::Random : fill, 5);
      for (const int64_t rows : {1, 6, 17, 36}) check_against_double(file, isa, rows, fill);
    }
    check_invariance(make_matrix(type, 83, 512, Fill::Random, 2), isa);
    check_fidelity(make_matrix(type, 64, 1024, Fill::Random, 9), isa);
  }
  check_instruction_sets_agree(make_matrix(type, 48, 768, Fill::Random, 4), 5, isas);
  // More input features and rows than a core's cache takes at once, and more rows than tiles that are full.
  check_instruction_sets_agree(make_matrix(type, 48, 4352, Fill::Random, 4), 60, isas);
  if (type != Type::FP8_E4M3) check_size(make_matrix(type, 160, 1024, Fill::Random, 6));
}

// Shapes that only the floating types can have.
void check_odd_columns(const std::vector<Isa>& isas) {
  for (const Isa isa : isas) {
    for (const Type type : {Type::F32, Type::F16, Type::BF16, Type::FP8_E4M3}) {
      for (const int64_t cols : {1, 41, 333}) {
        const FileMatrix file = make_matrix(type, 19, cols, Fill::Random, 8);
        for (const int64_t rows : {1, 4}) check_against_double(file, isa, rows, Fill::Random);
      }
    }
    check_against_double(make_matrix(Type::NF4, 19, 50, Fill::Random, 8), isa, 3, Fill::Random);
  }
}

// Float32 kept as 16-bit codes: near the exact products, and the same bits alone and in a batch.
void check_int16(Isa isa) {
  constexpr int64_t kRows = 67;
  for (const auto& [features, cols] : {std::pair<int64_t, int64_t>{1, 4}, {37, 132}, {70, 384}, {48, 1536}}) {
    if (!has_int16(isa, cols)) return;
    const std::vector<float> w = make_activations(features, cols, Fill::Random, 21);
    const std::vector<float> x = make_activations(kRows, cols, Fill::Random, 22);
    const auto m = pack_int16(features, cols, w.data(), isa);
    const std::vector<float> whole = multiply(*m, x, kRows, 2);
    double error = 0;
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t feature = 0; feature < features; ++feature) {
        const auto weights = w.begin() + feature * cols;
        const double exact = std::inner_product(weights, weights + cols, x.begin() + row * cols, 0.0);
        error += std::pow(whole[static_cast<size_t>(row * features + feature)] - exact, 2);
      }
    }
    const double relative = std::sqrt(error / static_cast<double>(kRows * features * cols));
    if (!(relative < 6e-4)) {
      REPORT("%s int16 %ldx%ld: relative error %g", name(isa).data(), static_cast<long>(features),
             static_cast<long>(cols), relative);
    }
    for (const int64_t batch : {1, 2, 5, 12, 36}) {
      for (int64_t first = 0; first + batch <= kRows; first += batch) {
        const std::vector<float> y =
            multiply(*m, {x.begin() + first * cols, x.begin() + (first + batch) * cols}, batch);
        if (!std::equal(y.begin(), y.end(), whole.begin() + first * features, same_bits)) {
          REPORT("%s int16: row %ld differs in a batch of %ld", name(isa).data(), static_cast<long>(first),
                 static_cast<long>(batch));
        }
      }
    }
  }
}

// Rows that meet the limits of codes: all alike, one value alone, and too large or too small to be squared.
void check_int16_limits(Isa isa) {
  constexpr int64_t kCols = 1536;
  if (!has_int16(isa, kCols)) return;
  std::vector<std::vector<float>> rows;
  for (const float size : {1.0f, -3.0f, 1e30f, 1e-25f}) {
    rows.emplace_back(kCols, size);
    rows.emplace_back(kCols, 0.0f);
    rows.back()[7] = size;
  }
  for (const auto& w : rows) {
    const auto m = pack_int16(1, kCols, w.data(), isa);
    for (const auto& x : rows) {
      const double exact = std::inner_product(w.begin(), w.end(), x.begin(), 0.0);
      const double got = multiply(*m, x, 1)[0];
      const bool representable = std::abs(exact) > 1e-37 && std::abs(exact) < 3e38;
      if (representable && !(std::abs(got - exact) <= 1e-3 * std::abs(exact))) {
        REPORT("%s int16 at their limits: %g times %g give %g instead of %g", name(isa).data(), w[7], x[7], got, exact);
      }
    }
  }
}

// That no thread is without work, and that tiles of several rows get panels in pairs, where there are enough.
void check_turns() {
  const auto m = identity(usable_isas().front());
  Matrix large;
  large.type = m->type;
  large.isa = m->isa;
  large.cols = 2048;
  large.panel_code_bytes = m->panel_code_bytes * 64;
  large.panel_scale_bytes = m->panel_scale_bytes * 64;
  for (const int64_t outputs : {1024, 2048, 4096, 14336}) {
    large.rows = outputs;
    for (const int threads : {1, 2, 4, 8, 16}) {
      for (const int64_t rows : {1, 2, 16, 64, 512}) {
        const int64_t grain = large.grain(rows, threads);
        const int64_t turns = (large.panels() + grain - 1) / grain;
        if (turns < 2 * threads) REPORT("%d threads share %ld turns", threads, static_cast<long>(turns));
        if (rows > 1 && grain > 1 && grain % 2 != 0) REPORT("a turn of %ld panels", static_cast<long>(grain));
      }
    }
  }
}

int check_all() {
  std::vector<Isa> isas = usable_isas();
#ifdef MLXR_EMULATED_AVX512
  std::erase_if(isas, [](Isa isa) { return isa == Isa::Amx || isa == Isa::Avx512; });
  isas.insert(isas.begin(), {Isa::Amx, Isa::Avx512});
#endif
  std::printf("checking");
  for (const Isa isa : isas) std::printf(" %s", name(isa).data());
  std::printf("\n");
  for (const TypeInfo& type : kTypes) {
    const int before = failures;
    check_type(type.type, isas);
    std::printf("%-9s %s\n", type.name.data(), failures == before ? "ok" : "DIFFERS");
  }
  check_odd_columns(isas);
  check_turns();
  for (const Isa isa : usable_isas()) {  // no emulated ones
    check_int16(isa);
    check_int16_limits(isa);
  }
  std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}

int dequantize(const std::string& type_name, int64_t rows, int64_t cols) {
  for (const TypeInfo& type : kTypes) {
    if (type.name != type_name) continue;
    std::vector<uint8_t> data(static_cast<size_t>(rows) * row_bytes(type.type, cols));
    if (std::fread(data.data(), 1, data.size(), stdin) != data.size()) return 1;
    const auto m = pack(type.type, rows, cols, data.data());
    std::vector<float> y(static_cast<size_t>(cols));
    for (int64_t row = 0; row < rows; ++row) {
      dequantize_row(*m, row, y.data());
      std::fwrite(y.data(), sizeof(float), y.size(), stdout);
    }
    return 0;
  }
  return 1;
}

}  // namespace
}  // namespace mlxr::test

int main(int argc, char** argv) {
  if (argc == 5 && std::string(argv[1]) == "dequantize") {
    return mlxr::test::dequantize(argv[2], std::atol(argv[3]), std::atol(argv[4]));
  }
  return mlxr::test::check_all();
}
