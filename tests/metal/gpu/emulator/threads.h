// The threads of one threadgroup and where they wait for each other, as kernels see them; `threads.cpp` runs them.
//
// What Metal leaves undefined ends the run with a message: threads of a threadgroup at different barriers, lanes of a
// simdgroup at different operations, and threads that have ended while others wait for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace emulator {

constexpr int LANES = 32;

struct Slots {
  // Two of each, since a lane may write for the next operation while others still read.
  alignas(16) unsigned char bytes[2][LANES][16];
};

// GRID: for what threads of other threadgroups do; it looks again whenever it is resumed.
enum class Wait { NONE, SIMDGROUP, THREADGROUP, GRID, ENDED };

struct Thread {
  unsigned index = 0;
  unsigned operations = 0;
  Wait wait = Wait::NONE;
  int line = 0;
  const void* attributes = nullptr;
  bool heard = false;  // from other threadgroups, and no fence is behind it yet
  unsigned lane() const { return index % LANES; }
  unsigned simdgroup() const { return index / LANES; }
};

// The thread that runs.
Thread& current();

// Waits for all threads of the simdgroup or threadgroup; all come from one line.
void wait(Wait kind, int line);

// Of the simdgroup of the thread that runs.
Slots& slots();
unsigned lanes();

// Threadgroup memory, by the number of its declaration; poisoned where a threadgroup begins.
unsigned char* memory(unsigned number, size_t bytes);

[[noreturn]] void end_undefined(const char* what);

template <typename T>
T& threadgroup_memory(unsigned number) {
  return *reinterpret_cast<T*>(memory(number, sizeof(T)));
}

}  // namespace emulator
