#include "threadpool.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>

#ifdef __linux__
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlxr {
namespace {

// How long a thread that waits stays awake. A core that slept needs 50 us and more to come back, and a team that lost a thread
// to the server for a moment meets at its next barrier well before this has passed. It yields all the while: another thread
// of its team may be waiting for this very core, and would otherwise wait until this one sleeps, at every barrier.
constexpr std::chrono::microseconds kSpinTime{500};
constexpr int kPauses = 64;  // between two yields and looks at the clock

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits while `value` is `old`: first spinning, then asleep.
void await_change(const std::atomic<uint32_t>& value, uint32_t old) {
  std::chrono::steady_clock::time_point end{};
  do {
    for (int i = 0; i < kPauses; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
    std::this_thread::yield();
    if (end == std::chrono::steady_clock::time_point{}) end = std::chrono::steady_clock::now() + kSpinTime;
  } while (std::chrono::steady_clock::now() < end);
  while (value.load(std::memory_order_acquire) == old) value.wait(old, std::memory_order_acquire);
}

// CPUs granted by the cgroup, or 0 where there is no limit.
double cgroup_quota() {
  std::string quota, period;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period) {
    return quota == "max" ? 0.0 : std::atof(quota.c_str()) / std::max(1.0, std::atof(period.c_str()));
  }
  std::ifstream v1_quota("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1_period("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (v1_quota >> quota && v1_period >> period) {
    return std::max(0.0, std::atof(quota.c_str()) / std::max(1.0, std::atof(period.c_str())));
  }
  return 0.0;
}

}  // namespace

int available_threads() {
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) threads = std::max(1, CPU_COUNT(&set));
#endif
  if (const double quota = cgroup_quota(); quota > 0) {
    threads = std::min(threads, std::max(1, static_cast<int>(std::ceil(quota))));
  }
  return threads;
}

std::atomic<int64_t>& Team::counter() { return pool_.counters_[loops_++ % ThreadPool::kLoops].value; }

void Team::barrier() {
  loops_ = 0;
  if (size_ > 1) {
    pool_.arrive();
  } else {
    pool_.reset_counters();
  }
}

ThreadPool::ThreadPool(int threads) : size_(threads) {
  if (threads < 1) throw std::invalid_argument("a thread pool needs at least 1 thread");
  for (int i = 1; i < size_; ++i) threads_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::run(Job job, void* callable) {
  const std::lock_guard lock(caller_);
  job_ = job;
  callable_ = callable;
  if (size_ > 1) {
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
  }
  Team team(*this, 0, size_);
  job(callable, team);
  team.barrier();
}

void ThreadPool::work(int index) {
  for (uint32_t seen = 0;; ++seen) {
    await_change(epoch_, seen);
    if (stop_) return;
    Team team(*this, index, size_);
    job_(callable_, team);
    team.barrier();
  }
}

// A barrier for all threads. The last to come makes the counters ready for the next phase before it lets the others go.
void ThreadPool::arrive() {
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < size_) {
    await_change(generation_, generation);
    return;
  }
  reset_counters();
  arrived_.store(0, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

void ThreadPool::reset_counters() {
  for (Counter& counter : counters_) counter.value.store(0, std::memory_order_relaxed);
}

}  // namespace mlxr
