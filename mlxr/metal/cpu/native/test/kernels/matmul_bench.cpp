// Times one matrix product per type, instruction set and number of rows.
//
//   matmul_bench [--threads N] [--size N] [--rows 1,64] [--types Q4_1,Q8_0] [--isa avx2] [--seconds 0.4]
//
// Prints microseconds (median and best), and of the best: packed bytes read and multiply-adds a second.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

#include "test/kernels/random_matrix.h"

namespace mlxr::test {
namespace {

struct Options {
  int threads = available_threads();
  int64_t size = 4096;
  std::string rows = "1,64";
  std::string types;
  std::string isa;
  double seconds = 0.4;
};

bool listed(const std::string& list, std::string_view word) {
  std::istringstream words(list);
  for (std::string one; std::getline(words, one, ',');) {
    if (one == word) return true;
  }
  return list.empty();
}

struct Timing { double median, best; };

Timing time_product(const Options& options, ThreadPool& pool, const Matrix& m, int64_t rows) {
  const std::vector<float> x = make_activations(rows, m.cols, Fill::Random, 1);
  std::vector<float> y(static_cast<size_t>(rows * m.rows));
  std::vector<double> times;
  double total = 0;
  Activations xs(rows, m.cols, needs(m), m.isa);
  xs.set_rows(0, rows, x.data(), m.cols);
  while (total < options.seconds || times.size() < 5) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel([&](Team& team) {
      team.loop(m.panels(), m.grain(rows, team.size()),
                [&](int64_t begin, int64_t end) { matmul_panels(m, xs, y.data(), m.rows, begin, end); });
    });
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    total += times.back();
  }
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return {times[times.size() / 2], *std::min_element(times.begin(), times.end())};
}

void bench(const Options& options) {
  ThreadPool pool(options.threads);
  std::printf("%-9s %-9s %5s %10s %10s %8s %8s\n", "type", "isa", "rows", "us", "best us", "GB/s", "GMAC/s");
  for (const TypeInfo& type : kTypes) {
    if (!listed(options.types, type.name)) continue;
    const FileMatrix file = make_matrix(type.type, options.size, options.size, Fill::Random, 1);
    for (const Isa isa : usable_isas()) {
      if (options.isa.empty() ? isa == Isa::Portable : !listed(options.isa, name(isa))) continue;
      const auto m = file.packed(isa);
      for (const int64_t rows : {1, 2, 4, 8, 16, 64, 512}) {
        if (!listed(options.rows, std::to_string(rows))) continue;
        const auto [seconds, best] = time_product(options, pool, *m, rows);
        std::printf("%-9s %-9s %5ld %10.1f %10.1f %8.1f %8.1f\n", type.name.data(), name(isa).data(),
                    static_cast<long>(rows), seconds * 1e6, best * 1e6, static_cast<double>(m->nbytes()) / best / 1e9,
                    static_cast<double>(m->rows * m->cols * rows) / best / 1e9);
        std::fflush(stdout);
      }
    }
  }
}

}  // namespace
}  // namespace mlxr::test

int main(int argc, char** argv) {
  mlxr::test::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--threads")
      options.threads = std::atoi(value.c_str());
    else if (option == "--size")
      options.size = std::atol(value.c_str());
    else if (option == "--rows")
      options.rows = value;
    else if (option == "--types")
      options.types = value;
    else if (option == "--isa")
      options.isa = value;
    else if (option == "--seconds")
      options.seconds = std::atof(value.c_str());
    else
      return std::printf("unknown option %s\n", argv[i]), 2;
  }
  mlxr::test::bench(options);
}
