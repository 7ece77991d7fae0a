// Runs a whole grid: reads a job (threads, inputs, sizes of outputs) from a file, and writes the outputs to another.
// Ends with GUARD_BROKEN where something was written outside of the outputs and of inputs that a kernel may change,
// which follow the outputs.
#pragma once

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "metal.h"

namespace emulator {

constexpr size_t GUARD = 4096;

struct Attributes {
  uint3 thread_position_in_grid, threadgroup_position_in_grid, thread_position_in_threadgroup;
  uint3 threads_per_threadgroup, threadgroups_per_grid, threads_per_grid;
  uint thread_index_in_threadgroup, thread_index_in_simdgroup, simdgroup_index_in_threadgroup;
  uint simdgroups_per_threadgroup, threads_per_simdgroup;
};

// A buffer of the device. Around it, and in it until somebody writes, all bits are ones: not a number for every type of
// floats. AddressSanitizer's own guards begin right behind its last byte instead.
class Buffer {
 public:
  explicit Buffer(size_t bytes) : bytes_(bytes) {
#ifdef EMULATOR_ASAN
    memory_ = start_ = new unsigned char[bytes];
    std::memset(start_, 0xff, bytes);
#else
    memory_ = new unsigned char[bytes + 2 * GUARD];
    start_ = memory_ + GUARD;
    std::memset(memory_, 0xff, bytes + 2 * GUARD);
#endif
  }
  unsigned char* data() { return start_; }
  size_t size() const { return bytes_; }
  void require_whole(const char* kind, int number) const {
#ifndef EMULATOR_ASAN
    for (size_t i = 0; i < GUARD; ++i) {
      if (memory_[i] != 0xff || start_[bytes_ + i] != 0xff) {
        std::fprintf(stderr, "wrote outside of %s %d\n", kind, number);
        std::_Exit(GUARD_BROKEN);
      }
    }
#endif
  }

 private:
  size_t bytes_;
  unsigned char *memory_, *start_;
};

template <typename T>
T read(std::ifstream& file) {
  T value;
  file.read(reinterpret_cast<char*>(&value), sizeof(T));
  return value;
}

template <typename Kernel>
int run(int argc, char** argv, Kernel kernel, std::vector<size_t> writes = {}) {
  if (argc != 3) return 2;
  std::ifstream job(argv[1], std::ios::binary);
  uint64_t seed = read<uint64_t>(job);
  uint3 grid, size;
  for (int i = 0; i < 3; ++i) grid[i] = read<uint32_t>(job);
  for (int i = 0; i < 3; ++i) size[i] = read<uint32_t>(job);
  std::vector<Buffer> inputs, outputs;
  std::vector<std::string> before;
  for (uint32_t i = 0, count = read<uint32_t>(job); i < count; ++i) {
    inputs.emplace_back(read<uint64_t>(job));
    job.read(reinterpret_cast<char*>(inputs.back().data()), inputs.back().size());
    before.emplace_back(reinterpret_cast<char*>(inputs.back().data()), inputs.back().size());
  }
  for (uint32_t i = 0, count = read<uint32_t>(job); i < count; ++i) outputs.emplace_back(read<uint64_t>(job));

  Group group(size.x * size.y * size.z, seed);
  uint3 groups(grid.x / size.x, grid.y / size.y, grid.z / size.z);
  std::vector<uint> order(size_t(groups.x) * groups.y * groups.z);
  for (size_t i = 0; i < order.size(); ++i) order[i] = uint(i);
  std::mt19937_64 random(seed + 1);
  std::shuffle(order.begin(), order.end(), random);
  for (uint number : order) {
    uint3 at(number % groups.x, number / groups.x % groups.y, number / groups.x / groups.y);
    group.run([&](unsigned index) {
      Attributes a;
      a.threads_per_threadgroup = size, a.threadgroups_per_grid = groups, a.threads_per_grid = grid;
      a.threadgroup_position_in_grid = at;
      a.thread_position_in_threadgroup = uint3(index % size.x, index / size.x % size.y, index / size.x / size.y);
      a.thread_position_in_grid = at * size + a.thread_position_in_threadgroup;
      a.thread_index_in_threadgroup = index;
      a.thread_index_in_simdgroup = index % LANES, a.simdgroup_index_in_threadgroup = index / LANES;
      a.simdgroups_per_threadgroup = (size.x * size.y * size.z + LANES - 1) / LANES, a.threads_per_simdgroup = LANES;
      kernel(inputs, outputs, a);
    });
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].require_whole("input", int(i));
    bool may_write = std::find(writes.begin(), writes.end(), i) != writes.end();
    if (!may_write && std::memcmp(before[i].data(), inputs[i].data(), inputs[i].size()) != 0) {
      std::fprintf(stderr, "wrote to input %d\n", int(i));
      return GUARD_BROKEN;
    }
  }
  std::ofstream result(argv[2], std::ios::binary);
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].require_whole("output", int(i));
    result.write(reinterpret_cast<char*>(outputs[i].data()), outputs[i].size());
  }
  for (size_t i : writes) result.write(reinterpret_cast<char*>(inputs[i].data()), inputs[i].size());
  std::printf("%zu\n", group.most_memory());
  return 0;
}

}  // namespace emulator
