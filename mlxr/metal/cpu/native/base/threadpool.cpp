#include "base/threadpool.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>

#ifdef __linux__
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mlxr {
namespace {

// How long a thread that waits stays awake. A core that slept needs 50 us and more to come back, and a team that lost a
// thread to the server for a moment meets at its next barrier well before this has passed. It yields all the while:
// whoever it waits for, or the server, may be waiting for this very core.
constexpr std::chrono::microseconds kSpinTime{500};
constexpr std::chrono::microseconds kLookTime{200};  // between two looks for an idle CPU
constexpr int kPauses = 64;                          // between two yields and looks at the clock
constexpr uint64_t kRegion = uint64_t{1} << 32;      // what an epoch counts up by; below it are threads

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// The CPU this thread runs on, -1 where the system does not tell.
int current_cpu() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}

// Whether no more threads of the whole system want to run than this process has CPUs. Where two of them share a CPU,
// another is idle then.
bool cpu_idle(int cpus) {
#ifdef __linux__
  char text[128] = {};
  const int file = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t size = read(file, text, sizeof(text) - 1);
  close(file);
  int running = 0;
  // The fourth field: threads that run or could, before the slash (proc(5)).
  return size > 0 && std::sscanf(text, "%*f %*f %*f %d/", &running) == 1 && running <= cpus;
#else
  static_cast<void>(cpus);
  return false;
#endif
}

// Has the calling thread go on on another CPU than `here`, and then wander as before.
void leave_cpu([[maybe_unused]] int here) {
#ifdef __linux__
  cpu_set_t all, others;
  if (sched_getaffinity(0, sizeof(all), &all) != 0) return;
  others = all;
  CPU_CLR(here, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof(others), &others) != 0) return;
  sched_setaffinity(0, sizeof(all), &all);
#endif
}

// Waits while `value` is `old`: first spinning, then asleep. Now and then while it spins it calls `meanwhile`, and
// yields the CPU if that says so.
template <class Value, class Meanwhile>
void await_change(const std::atomic<Value>& value, Value old, Meanwhile&& meanwhile) {
  std::chrono::steady_clock::time_point end{};
  do {
    for (int i = 0; i < kPauses; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
    if (meanwhile()) std::this_thread::yield();
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

// CPUs that this thread may run on.
int usable_cpus() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

int available_threads() {
  int threads = usable_cpus();
  if (const double quota = cgroup_quota(); quota > 0) {
    threads = std::min(threads, std::max(1, static_cast<int>(std::ceil(quota))));
  }
  return threads;
}

Team::Chunks Team::take(int loop, int owner, int64_t chunks) {
  const int64_t first = chunks * owner / size_, last = chunks * (owner + 1) / size_;
  std::atomic<uint64_t>& taken = pool_.taken(loop, owner).chunks;
  uint64_t now = taken.load(std::memory_order_relaxed);
  for (;;) {
    const auto front = static_cast<int64_t>(now >> 32), back = static_cast<int64_t>(now & 0xffffffff);
    const int64_t left = last - first - front - back;
    if (left <= 0) return {};
    const bool own = owner == index_;
    const int64_t some = own ? 1 : (left + 1) / 2;
    const uint64_t after = now + (own ? uint64_t{1} << 32 : static_cast<uint64_t>(some));
    if (taken.compare_exchange_weak(now, after, std::memory_order_relaxed)) {
      return own ? Chunks{first + front, first + front + 1} : Chunks{last - back - some, last - back};
    }
  }
}

void Team::barrier() {
  const int loops = std::exchange(loops_, 0);
  if (size_ > 1) {
    pool_.arrive(index_, size_, loops);
  } else {
    pool_.reset(size_, loops);
  }
}

ThreadPool::ThreadPool(int threads)
    : size_(threads),
      cpus_(usable_cpus()),
      wanted_(threads),
      taken_(static_cast<size_t>(std::max(threads, 0) * kLoops)),
      thread_cpus_(static_cast<size_t>(std::max(threads, 0))) {
  if (threads < 1) throw std::invalid_argument("a thread pool needs at least 1 thread");
  for (int i = 1; i < size_; ++i) threads_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  set_used(size_);  // so that all look
  epoch_.fetch_add(kRegion, std::memory_order_release);
  epoch_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::use(int threads) { wanted_.store(std::clamp(threads, 1, size_), std::memory_order_relaxed); }

void ThreadPool::set_used(int threads) {
  if (used_.exchange(threads) != threads) used_.notify_all();
}

void ThreadPool::run(Job job, void* callable) {
  const std::lock_guard lock(caller_);
  const int used = wanted_.load(std::memory_order_relaxed);
  set_used(used);
  job_ = job;
  callable_ = callable;
  if (used > 1) {
    const uint64_t regions = epoch_.load(std::memory_order_relaxed) / kRegion;
    epoch_.store((regions + 1) * kRegion + static_cast<uint64_t>(used), std::memory_order_release);
    epoch_.notify_all();
  }
  Team team(*this, 0, used);
  job(callable, team);
  team.barrier();
}

void ThreadPool::work(int index) {
  uint64_t seen = 0;
  for (;;) {
    // Who is left out leaves its CPU to others: it does not spin, and regions of others don't wake it. While a region
    // runs `used_` stays, so that nobody sleeps here whom one waits for.
    for (int used; (used = used_.load(std::memory_order_acquire)) <= index;) used_.wait(used);
    await_change(epoch_, seen, [&] {
      leave_shared_cpu(index);
      return true;
    });
    // A region waits for all threads that it has, so for these what is read here is the region that runs. Read before
    // `stop_`: nothing waits for a thread that is left out, and it must not take the last change for a region.
    seen = epoch_.load(std::memory_order_acquire);
    if (stop_) return;
    const int used = static_cast<int>(seen % kRegion);
    if (index >= used) continue;
    Team team(*this, index, used);
    job_(callable_, team);
    team.barrier();
  }
}

// A barrier for the `used` threads of the region that runs. The last to come makes what its `loops` used ready for the
// next phase before it lets the others go.
void ThreadPool::arrive(int index, int used, int loops) {
  thread_cpus_[static_cast<size_t>(index)].cpu.store(current_cpu(), std::memory_order_relaxed);
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < used) {
    await_change(generation_, generation, [&] { return leave_shared_cpu(index); });
    return;
  }
  reset(used, loops);
  arrived_.store(0, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

// Two threads of a team on one CPU wait for each other by turns, and the kernel may leave them there for many
// milliseconds while the next CPU is idle: it moves no thread that ran a moment ago. So one of them goes by itself. Not
// where every CPU is wanted, though: beside a busy process the two are better off together.
//
// Returns whether they share one: then the thread that waits yields. Between threads on CPUs of their own a yield gives
// nothing to the one that is waited for, and a whole time slice to whatever else wants this CPU.
bool ThreadPool::leave_shared_cpu(int index) {
  ThreadCpu& own = thread_cpus_[static_cast<size_t>(index)];
  const int here = current_cpu();
  own.cpu.store(here, std::memory_order_relaxed);
  if (here < 0) return true;
  bool together = false;
  const int used = used_.load(std::memory_order_relaxed);
  for (int i = 0; i < used; ++i) {
    together |= i != index && thread_cpus_[static_cast<size_t>(i)].cpu.load(std::memory_order_relaxed) == here;
  }
  if (!together) return false;
  const auto now = std::chrono::steady_clock::now();
  if (now < own.look_again) return true;
  own.look_again = now + kLookTime;
  if (!cpu_idle(cpus_)) return true;
  leave_cpu(here);
  own.cpu.store(current_cpu(), std::memory_order_relaxed);
  return true;
}

void ThreadPool::reset(int used, int loops) {
  for (int loop = 0; loop < std::min(loops, kLoops); ++loop) {
    for (int owner = 0; owner < used; ++owner) taken(loop, owner).chunks.store(0, std::memory_order_relaxed);
  }
}

}  // namespace mlxr
