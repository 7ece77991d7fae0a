#include "ops/limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "base/aligned_buffer.h"
#include "kernels/kernel_table.h"

namespace mlxr {
namespace {

constexpr int kPasses = 8;
constexpr int64_t kThreadBytes = int64_t{64} << 20;
constexpr int64_t kRounds = 1000;  // some microseconds
constexpr std::chrono::milliseconds kPassTime{2};

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

}  // namespace

double measure_reading(ThreadPool& pool, Isa isa) {
  const KernelTable& kernels = kernel_table(isa);
  AlignedBuffer buffer(static_cast<size_t>(kThreadBytes * pool.size()));
  auto* const bytes = buffer.as<uint8_t>();
  // Pages that were never written to are one page of zeros.
  std::memset(bytes, 1, static_cast<size_t>(kThreadBytes * pool.size()));
  double least = 1e9;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto began = Clock::now();
    pool.parallel([&](Team& team) { kernels.read(bytes + team.index() * kThreadBytes, kThreadBytes); });
    least = std::min(least, seconds_since(began));
  }
  return static_cast<double>(kThreadBytes * pool.size()) / least;
}

double measure_products(ThreadPool& pool, Isa isa) {
  const KernelTable& kernels = kernel_table(isa);
  double most = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::atomic<int64_t> products{0};
    const auto began = Clock::now();
    pool.parallel([&](Team&) {
      do products += kernels.products(kRounds);
      while (Clock::now() - began < kPassTime);
    });
    most = std::max(most, static_cast<double>(products.load()) / seconds_since(began));
  }
  return most;
}

}  // namespace mlxr
