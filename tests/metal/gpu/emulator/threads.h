// The threads of one threadgroup and where they wait for each other. As a rule they are fibers that run one at a time,
// in an order drawn anew at every wait; with EMULATOR_OS_THREADS they are threads of the system, for ThreadSanitizer.
//
// What Metal leaves undefined ends the run with a message: threads of a threadgroup at different barriers, lanes of a
// simdgroup at different operations, and threads that have ended while others wait for them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <vector>
#ifdef EMULATOR_OS_THREADS
#include <condition_variable>
#include <mutex>
#include <thread>
#else
#include <sys/mman.h>
#include <ucontext.h>
#endif

namespace emulator {

constexpr int LANES = 32;
constexpr int DIVERGED = 4;

struct Slots {
  // Two of each, since a lane may write for the next operation while others still read.
  alignas(16) unsigned char bytes[2][LANES][16];
};

constexpr int GUARD_BROKEN = 3;

// Threadgroup memory, by the number of its declaration. All bits of a block are ones until somebody writes, and behind
// it, where AddressSanitizer has no guard of its own.
class Memory {
 public:
  unsigned char* block(unsigned number, size_t bytes) {
    if (blocks_.size() <= number) blocks_.resize(number + 1);
    Block& block = blocks_[number];
    if (!block.start) {
      block.bytes = bytes;
      block.start.reset(new unsigned char[bytes + GUARD]);
      std::memset(block.start.get(), 0xff, bytes + GUARD);
    }
    return block.start.get();
  }

  // Forgets all, for the next threadgroup, and ends the run where somebody wrote behind a block.
  void clear() {
    for (const Block& block : blocks_) {
      for (size_t i = 0; block.start && i < GUARD; ++i) {
        if (block.start[block.bytes + i] == 0xff) continue;
        std::fprintf(stderr, "wrote behind %zu bytes of threadgroup memory\n", block.bytes);
        std::_Exit(GUARD_BROKEN);
      }
    }
    most_ = std::max(most_, bytes());
    blocks_.clear();
  }

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
  size_t bytes() const {
    size_t sum = 0;
    for (const Block& block : blocks_) sum += (block.bytes + 15) / 16 * 16;
    return sum;
  }
  std::vector<Block> blocks_;
  size_t most_ = 0;
};

enum class Wait { NONE, SIMDGROUP, THREADGROUP, ENDED };

struct Thread {
  unsigned index = 0;
  unsigned operations = 0;
  Wait wait = Wait::NONE;
  int line = 0;
  unsigned lane() const { return index % LANES; }
  unsigned simdgroup() const { return index / LANES; }
};

[[noreturn]] inline void diverged(const char* what, int line, int other) {
  std::fprintf(stderr, "diverged: %s: line %d and line %d\n", what, line, other);
  std::_Exit(DIVERGED);
}

#ifdef EMULATOR_OS_THREADS

class Meeting {
 public:
  // Waits until `count` threads have come here, all from one line.
  void arrive(unsigned count, int line, const char* what) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (here_ == 0) line_ = line;
    if (line_ != line) diverged(what, line_, line);
    if (++here_ == count) {
      here_ = 0;
      ++turn_;
      all_.notify_all();
      return;
    }
    unsigned turn = turn_;
    if (!all_.wait_for(lock, std::chrono::seconds(60), [&] { return turn_ != turn; })) diverged(what, line, 0);
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  unsigned here_ = 0, turn_ = 0;
  int line_ = 0;
};

class Group {
 public:
  Group(unsigned threads, uint64_t) : threads_(threads), slots_((threads + LANES - 1) / LANES) {
    running() = this;
    simdgroups_ = std::vector<Meeting>(slots_.size());
  }

  template <typename Body>
  void run(Body body) {
    std::vector<std::thread> all;
    for (unsigned i = 0; i < threads_; ++i) {
      all.emplace_back([this, i, body] {
        Thread self;
        self.index = i;
        current() = &self;
        body(i);
      });
    }
    for (auto& thread : all) thread.join();
    memory_.clear();
  }

  void wait(Wait kind, int line) {
    Thread& self = *current();
    if (kind == Wait::THREADGROUP) {
      whole_.arrive(threads_, line, "threads of a threadgroup");
    } else {
      simdgroups_[self.simdgroup()].arrive(lanes(self.simdgroup()), line, "lanes of a simdgroup");
    }
  }

  unsigned char* memory(unsigned number, size_t bytes) {
    std::lock_guard<std::mutex> lock(allocating_);
    return memory_.block(number, bytes);
  }

  static Thread*& current() {
    static thread_local Thread* self = nullptr;
    return self;
  }

#else

class Group {
 public:
  Group(unsigned threads, uint64_t seed)
      : threads_(threads), slots_((threads + LANES - 1) / LANES), random_(seed), fibers_(threads), contexts_(threads) {
    running() = this;
    constexpr size_t STACK = 256 << 10;
    stacks_ = static_cast<unsigned char*>(
        mmap(nullptr, STACK * threads, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    stack_ = STACK;
  }

  template <typename Body>
  void run(Body body) {
    body_ = [body](unsigned index) { body(index); };
    for (unsigned i = 0; i < threads_; ++i) {
      fibers_[i] = Thread{};
      fibers_[i].index = i;
      getcontext(&contexts_[i]);
      contexts_[i].uc_stack.ss_sp = stacks_ + stack_ * i;
      contexts_[i].uc_stack.ss_size = stack_;
      contexts_[i].uc_link = &scheduler_;
      makecontext(&contexts_[i], &Group::begin, 0);
    }
    unsigned simdgroup = 0;
    for (std::vector<unsigned> ready = runnable(); !ready.empty(); ready = runnable()) {
      // One simdgroup may be far ahead of the others, as far as barriers let it.
      bool stays = random_() % 8 != 0 && std::find(ready.begin(), ready.end(), simdgroup) != ready.end();
      if (!stays) simdgroup = ready[random_() % ready.size()];
      std::vector<unsigned> lanes_in_order(lanes(simdgroup));
      for (unsigned i = 0; i < lanes_in_order.size(); ++i) lanes_in_order[i] = simdgroup * LANES + i;
      std::shuffle(lanes_in_order.begin(), lanes_in_order.end(), random_);
      for (unsigned i : lanes_in_order) {
        current() = &fibers_[i];
        swapcontext(&scheduler_, &contexts_[i]);
      }
    }
    memory_.clear();
  }

  void wait(Wait kind, int line) {
    Thread& self = *current();
    self.wait = kind;
    self.line = line;
    swapcontext(&contexts_[self.index], &scheduler_);
  }

  unsigned char* memory(unsigned number, size_t bytes) { return memory_.block(number, bytes); }

  static Thread*& current() {
    static Thread* self = nullptr;
    return self;
  }

#endif

  Slots& slots(unsigned simdgroup) { return slots_[simdgroup]; }
  size_t most_memory() const { return memory_.most(); }
  unsigned lanes(unsigned simdgroup) const {
    unsigned left = threads_ - simdgroup * LANES;
    return left < LANES ? left : LANES;
  }
  static Group*& running() {
    static Group* group = nullptr;
    return group;
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
  static void begin() {
    Group& group = *running();
    group.body_(current()->index);
    current()->wait = Wait::ENDED;
  }

  // The simdgroups that may go on: those whose lanes all begin, or all wait at one line. Where all threads wait at one
  // barrier, all may.
  std::vector<unsigned> runnable() {
    std::vector<unsigned> ready;
    bool over = true;
    for (unsigned first = 0; first < threads_; first += LANES) {
      unsigned there = 0, count = lanes(first / LANES);
      for (unsigned i = first; i < first + count; ++i) {
        there += fibers_[i].wait == Wait::NONE || fibers_[i].wait == Wait::SIMDGROUP;
        over = over && fibers_[i].wait == Wait::ENDED;
      }
      if (there == 0) continue;
      for (unsigned i = first; i < first + count; ++i) require_same(first, i, "lanes of a simdgroup");
      ready.push_back(first / LANES);
    }
    if (over || !ready.empty()) return ready;
    for (unsigned i = 0; i < threads_; ++i) require_same(0, i, "threads of a threadgroup");
    for (Thread& fiber : fibers_) fiber.wait = Wait::NONE;
    for (unsigned simdgroup = 0; simdgroup < slots_.size(); ++simdgroup) ready.push_back(simdgroup);
    return ready;
  }

  void require_same(unsigned first, unsigned other, const char* what) const {
    const Thread &a = fibers_[first], &b = fibers_[other];
    if (a.wait != b.wait || (a.wait != Wait::NONE && a.line != b.line)) {
      diverged(what, a.wait == Wait::ENDED ? 0 : a.line, b.wait == Wait::ENDED ? 0 : b.line);
    }
  }

  std::mt19937_64 random_;
  std::vector<Thread> fibers_;
  std::vector<ucontext_t> contexts_;
  ucontext_t scheduler_;
  unsigned char* stacks_;
  size_t stack_;
  std::function<void(unsigned)> body_;
#endif
};

// Threadgroup memory of the declaration with this number; poisoned where a threadgroup begins.
template <typename T>
T& threadgroup_memory(unsigned number) {
  return *reinterpret_cast<T*>(Group::running()->memory(number, sizeof(T)));
}

}  // namespace emulator
