// Runs the threads of a threadgroup. As a rule they are fibers that run one at a time, in an order drawn anew at every
// wait; with EMULATOR_OS_THREADS they are threads of the system, for ThreadSanitizer.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "threads.h"
#ifdef EMULATOR_OS_THREADS
#include <condition_variable>
#include <mutex>
#else
#include <setjmp.h>
#include <ucontext.h>
#endif

namespace emulator {

constexpr int GUARD_BROKEN = 3, UNDEFINED = 4;

// Threadgroup memory, by the number of its declaration. All bits of a block are ones until somebody writes, and behind
// it, where AddressSanitizer has no guard of its own.
class Memory {
 public:
  unsigned char* block(unsigned number, size_t bytes);
  // Forgets all, for the next threadgroup, and ends the run where somebody wrote behind a block.
  void clear();
  // What a threadgroup took at the most.
  size_t most() const { return most_; }

 private:
#ifdef EMULATOR_ASAN
  static constexpr size_t GUARD = 0;
#else
  static constexpr size_t GUARD = 1024;
#endif
  struct Block {
    std::unique_ptr<unsigned char[]> start;
    size_t bytes = 0;
  };
  std::vector<Block> blocks_;
  size_t most_ = 0;
};

#ifdef EMULATOR_OS_THREADS
class Meeting {
 public:
  // Waits until `count` threads have come here, all from one line.
  void arrive(unsigned count, int line, const char* what);

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  unsigned here_ = 0, turn_ = 0;
  int line_ = 0;
};
#endif

class Group {
 public:
  Group(unsigned threads, uint64_t seed);
  // Calls `body` with the index of each thread.
  void run(const std::function<void(unsigned)>& body);
#ifndef EMULATOR_OS_THREADS
  // Likewise, but beside other threadgroups: `advance` runs threads until all have ended, or none can go on unless
  // another threadgroup does, and returns whether any went on.
  void start(const std::function<void(unsigned)>& body);
  bool advance();
  bool over() const { return over_; }
#endif
  void wait(Wait kind, int line);
  unsigned char* memory(unsigned number, size_t bytes);
  Slots& slots(unsigned simdgroup) { return slots_[simdgroup]; }
  size_t most_memory() const { return memory_.most(); }
  unsigned lanes(unsigned simdgroup) const {
    unsigned left = threads_ - simdgroup * LANES;
    return left < LANES ? left : LANES;
  }

 private:
  unsigned threads_;
  std::vector<Slots> slots_;
  Memory memory_;

#ifdef EMULATOR_OS_THREADS
  std::vector<Meeting> simdgroups_;
  Meeting whole_;
  std::mutex allocating_;
#else
  struct Fiber {
    Thread thread;
    bool begun = false;
    ucontext_t context;
    jmp_buf at;
  };
  static void begin();
  void resume(unsigned index);
  void pause();
  std::vector<unsigned> runnable();
  void require_same(unsigned first, unsigned other, const char* what) const;

  std::mt19937_64 random_;
  std::vector<Fiber> fibers_;
  ucontext_t scheduler_;
  jmp_buf scheduling_;
  unsigned running_ = 0;
  bool over_ = true;
  unsigned simdgroup_ = 0;
  bool resume_waiting();
  std::unique_ptr<unsigned char[]> stacks_;
  std::function<void(unsigned)> body_;
#endif
};

}  // namespace emulator
