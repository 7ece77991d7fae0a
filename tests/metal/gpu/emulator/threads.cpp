#include <algorithm>
#include <chrono>

#include "group.h"
#ifdef EMULATOR_OS_THREADS
#include <thread>
#endif

namespace emulator {

namespace {

#ifdef EMULATOR_OS_THREADS
thread_local Group* running = nullptr;
thread_local Thread* self = nullptr;
#else
Group* running = nullptr;
Thread* self = nullptr;
#endif

[[noreturn]] void diverged(const char* what, int line, int other) {
  std::fprintf(stderr, "diverged: %s: line %d and line %d\n", what, line, other);
  std::_Exit(UNDEFINED);
}

}  // namespace

Thread& current() { return *self; }
void wait(Wait kind, int line) { running->wait(kind, line); }
Slots& slots() { return running->slots(self->simdgroup()); }
unsigned lanes() { return running->lanes(self->simdgroup()); }
unsigned char* memory(unsigned number, size_t bytes) { return running->memory(number, bytes); }

void end_undefined(const char* what) {
  std::fprintf(stderr, "undefined: %s\n", what);
  std::_Exit(UNDEFINED);
}

unsigned char* Memory::block(unsigned number, size_t bytes) {
  if (blocks_.size() <= number) blocks_.resize(number + 1);
  Block& block = blocks_[number];
  if (!block.start) {
    block.bytes = bytes;
    block.start.reset(new unsigned char[bytes + GUARD]);
    std::memset(block.start.get(), 0xff, bytes + GUARD);
  }
  return block.start.get();
}

void Memory::clear() {
  size_t sum = 0;
  for (const Block& block : blocks_) {
    sum += (block.bytes + 15) / 16 * 16;
    for (size_t i = 0; block.start && i < GUARD; ++i) {
      if (block.start[block.bytes + i] == 0xff) continue;
      std::fprintf(stderr, "wrote behind %zu bytes of threadgroup memory\n", block.bytes);
      std::_Exit(GUARD_BROKEN);
    }
  }
  most_ = std::max(most_, sum);
  blocks_.clear();
}

#ifdef EMULATOR_OS_THREADS

void Meeting::arrive(unsigned count, int line, const char* what) {
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

Group::Group(unsigned threads, uint64_t)
    : threads_(threads), slots_((threads + LANES - 1) / LANES), simdgroups_(slots_.size()) {}

void Group::run(const std::function<void(unsigned)>& body) {
  std::vector<std::thread> all;
  for (unsigned i = 0; i < threads_; ++i) {
    all.emplace_back([this, i, &body] {
      Thread own;
      own.index = i;
      self = &own;
      running = this;
      body(i);
    });
  }
  for (auto& thread : all) thread.join();
  memory_.clear();
}

void Group::wait(Wait kind, int line) {
  if (kind == Wait::THREADGROUP) {
    whole_.arrive(threads_, line, "threads of a threadgroup");
  } else {
    unsigned simdgroup = self->simdgroup();
    simdgroups_[simdgroup].arrive(lanes(simdgroup), line, "lanes of a simdgroup");
  }
}

unsigned char* Group::memory(unsigned number, size_t bytes) {
  std::lock_guard<std::mutex> lock(allocating_);
  return memory_.block(number, bytes);
}

#else

constexpr size_t STACK = 256 << 10;

Group::Group(unsigned threads, uint64_t seed)
    : threads_(threads),
      slots_((threads + LANES - 1) / LANES),
      random_(seed),
      fibers_(threads),
      stacks_(new unsigned char[STACK * threads]) {
  running = this;
}

void Group::begin() {
  Group& group = *running;
  group.body_(self->index);
  self->wait = Wait::ENDED;
  group.pause();
}

// The first time on the fiber's own stack; from then on by a jump, which unlike swapcontext makes no call of the
// system. AddressSanitizer follows swapcontext alone.
void Group::resume(unsigned index) {
  Fiber& fiber = fibers_[index];
  running_ = index;
  self = &fiber.thread;
#ifdef EMULATOR_ASAN
  swapcontext(&scheduler_, &fiber.context);
#else
  if (_setjmp(scheduling_) != 0) return;
  if (fiber.begun) _longjmp(fiber.at, 1);
  fiber.begun = true;
  setcontext(&fiber.context);
#endif
}

void Group::pause() {
  Fiber& fiber = fibers_[running_];
#ifdef EMULATOR_ASAN
  swapcontext(&fiber.context, &scheduler_);
#else
  if (_setjmp(fiber.at) == 0) _longjmp(scheduling_, 1);
#endif
}

void Group::run(const std::function<void(unsigned)>& body) {
  start(body);
  while (advance()) {
  }
  if (!over_) end_undefined("a wait for threadgroups that do not run");
}

void Group::start(const std::function<void(unsigned)>& body) {
  running = this;
  over_ = false;
  body_ = body;
  for (unsigned i = 0; i < threads_; ++i) {
    Fiber& fiber = fibers_[i];
    fiber.thread = Thread{};
    fiber.thread.index = i;
    fiber.begun = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stacks_.get() + STACK * i;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, &Group::begin, 0);
  }
}

bool Group::advance() {
  if (over_) return false;
  running = this;
  bool went_on = resume_waiting();
  for (std::vector<unsigned> ready = runnable(); !ready.empty(); ready = runnable()) {
    went_on = true;
    // One simdgroup may be far ahead of the others, as far as barriers let it.
    bool stays = random_() % 8 != 0 && std::find(ready.begin(), ready.end(), simdgroup_) != ready.end();
    if (!stays) simdgroup_ = ready[random_() % ready.size()];
    // Lanes in one of the orders that a step through them gives: any lane may be first, and any before any other.
    unsigned count = lanes(simdgroup_), drawn = unsigned(random_()), start = drawn % count;
    unsigned step = count == LANES ? (drawn >> 8) | 1 : 1;
    for (unsigned i = 0; i < count; ++i) resume(simdgroup_ * LANES + (start + i * step) % count);
  }
  over_ = std::all_of(fibers_.begin(), fibers_.end(), [](const Fiber& f) { return f.thread.wait == Wait::ENDED; });
  if (over_) memory_.clear();
  return went_on;
}

// Lets threads that wait for other threadgroups look again. Returns whether one need wait no longer.
bool Group::resume_waiting() {
  bool went_on = false;
  for (unsigned i = 0; i < threads_; ++i) {
    if (fibers_[i].thread.wait != Wait::GRID) continue;
    resume(i);
    went_on = went_on || fibers_[i].thread.wait != Wait::GRID;
  }
  return went_on;
}

void Group::wait(Wait kind, int line) {
  self->wait = kind;
  self->line = line;
  pause();
}

unsigned char* Group::memory(unsigned number, size_t bytes) { return memory_.block(number, bytes); }

// The simdgroups that may go on: those whose lanes all begin, or all wait at one line. Where all threads wait at one
// barrier, all may.
std::vector<unsigned> Group::runnable() {
  std::vector<unsigned> ready;
  bool over = true, waiting = false;
  for (unsigned first = 0; first < threads_; first += LANES) {
    bool alone = false;
    unsigned there = 0, count = lanes(first / LANES);
    for (unsigned i = first; i < first + count; ++i) {
      Wait wait = fibers_[i].thread.wait;
      there += wait == Wait::NONE || wait == Wait::SIMDGROUP;
      over = over && wait == Wait::ENDED;
      alone = alone || wait == Wait::GRID;
    }
    waiting = waiting || alone;
    if (there == 0 || alone) continue;
    for (unsigned i = first; i < first + count; ++i) require_same(first, i, "lanes of a simdgroup");
    ready.push_back(first / LANES);
  }
  if (over || waiting || !ready.empty()) return ready;
  for (unsigned i = 0; i < threads_; ++i) require_same(0, i, "threads of a threadgroup");
  for (Fiber& fiber : fibers_) fiber.thread.wait = Wait::NONE;
  for (unsigned simdgroup = 0; simdgroup < slots_.size(); ++simdgroup) ready.push_back(simdgroup);
  return ready;
}

void Group::require_same(unsigned first, unsigned other, const char* what) const {
  const Thread &a = fibers_[first].thread, &b = fibers_[other].thread;
  if (a.wait != b.wait || (a.wait != Wait::NONE && a.line != b.line)) {
    diverged(what, a.wait == Wait::ENDED ? 0 : a.line, b.wait == Wait::ENDED ? 0 : b.line);
  }
}

#endif

}  // namespace emulator
