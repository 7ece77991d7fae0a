// Threads that share out one fused operation at a time.
//
// A region runs the same function on every thread of the team. Inside, loops give each thread a range of chunks, which
// it takes from the front: weights are then one stream for each thread, as memory likes best. Who is done takes the
// later half of what is left of another's range, so that a thread that was interrupted delays the others little.
// Barriers separate phases. Waiting threads spin for half a millisecond, longer than the gap between two steps, and
// then sleep in the kernel.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace mlxr {

class ThreadPool;

// One thread's view of a running region.
class Team {
 public:
  int index() const { return index_; }
  int size() const { return size_; }

  // Calls body(begin, end) for chunks of at most `grain` that together cover [0, count) once, over all threads of the
  // team. Returns when no chunk is left to take; others may still be at theirs (see barrier). Every thread must come by
  // the same loops in the same order, at most 16 between two barriers.
  template <class Body>
  void loop(int64_t count, int64_t grain, Body&& body) {
    const int64_t chunks = (count + grain - 1) / grain;
    const int loop = loops_++;
    for (int i = 0; i < size_; ++i) {
      const int owner = index_ + i < size_ ? index_ + i : index_ + i - size_;
      for (Chunks some; !(some = take(loop, owner, chunks)).empty();) {
        for (int64_t begin = some.begin * grain; begin < some.end * grain; begin += grain) {
          body(begin, begin + grain < count ? begin + grain : count);
        }
      }
    }
  }

  // Waits until every thread of the team is here; what they wrote before is visible after.
  void barrier();

 private:
  friend class ThreadPool;
  Team(ThreadPool& pool, int index, int size) : pool_(pool), index_(index), size_(size) {}
  struct Chunks {
    int64_t begin = 0, end = 0;
    bool empty() const { return begin >= end; }
  };
  // What to do next of `owner`'s range in a loop of so many chunks: its first for the owner, half of what is left of
  // it, the last, for others, who go through that from front to back too.
  Chunks take(int loop, int owner, int64_t chunks);

  ThreadPool& pool_;
  int index_;
  int size_;
  int loops_ = 0;
};

class ThreadPool {
 public:
  // `threads` counts the caller; at least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  // How many threads compute regions from the next one on, the caller among them: 1 to size(). The others sleep.
  void use(int threads);

  // Runs fn(Team&) on every thread in use and returns when all are done. `fn` must not throw. One region at a time: a
  // second caller waits.
  template <class Fn>
  void parallel(Fn&& fn) {
    using Callable = std::remove_reference_t<Fn>;
    run([](void* callable, Team& team) { (*static_cast<Callable*>(callable))(team); },
        const_cast<void*>(static_cast<const void*>(&fn)));
  }

 private:
  friend class Team;
  using Job = void (*)(void*, Team&);
  static constexpr int kLoops = 16;
  // Chunks of one thread's range that were taken: from its front in the upper half, from its back in the lower.
  struct alignas(64) Taken { std::atomic<uint64_t> chunks{0}; };

  struct alignas(64) ThreadCpu {
    std::atomic<int> cpu{-1};  // where the thread was when it last came to a barrier
    std::chrono::steady_clock::time_point look_again{};
  };

  void run(Job job, void* callable);
  void set_used(int threads);
  void work(int index);
  void arrive(int index, int used, int loops);
  bool leave_shared_cpu(int index);
  Taken& taken(int loop, int owner) { return taken_[static_cast<size_t>(loop % kLoops * size_ + owner)]; }
  void reset(int used, int loops);

  const int size_;
  const int cpus_;
  std::mutex caller_;
  Job job_ = nullptr;
  void* callable_ = nullptr;
  std::atomic<bool> stop_{false};                    // read by threads that no region waits for, too
  std::atomic<int> used_{0};                         // threads of the running region, or of the last
  std::atomic<int> wanted_{0};                       // threads of regions from the next on
  alignas(64) std::atomic<uint64_t> epoch_{0};       // regions started, and in the lowest bits the threads of the last
  alignas(64) std::atomic<int> arrived_{0};          // threads at the current barrier
  alignas(64) std::atomic<uint32_t> generation_{0};  // barriers passed
  std::vector<Taken> taken_;                         // [kLoops, size]
  std::vector<ThreadCpu> thread_cpus_;               // one a thread
  std::vector<std::thread> threads_;
};

// Threads this process may really use: its CPU affinity, cut by the cgroup's CPU quota (v2 cpu.max, v1 cfs_quota).
int available_threads();

}  // namespace mlxr
