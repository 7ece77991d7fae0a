// Runs a whole grid: reads a job (threads, whether all threadgroups run at once, inputs, sizes of outputs, which inputs
// may be changed) from a file, and writes the outputs and these inputs to another. Ends with GUARD_BROKEN where
// something was written outside of them.
#include <algorithm>
#include <fstream>
#include <string>
#ifdef EMULATOR_OS_THREADS
#include <atomic>
#include <thread>
#endif

#include "group.h"
#include "kernel.h"
#undef thread

namespace emulator {

constexpr size_t GUARD = 4096;

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

struct Grid {
  uint3 grid, size, groups;

  // What each thread of a threadgroup does.
  std::function<void(unsigned)> body(uint number, unsigned char* const* inputs, unsigned char* const* outputs) const {
    uint3 at(number % groups.x, number / groups.x % groups.y, number / groups.x / groups.y);
    return [this, at, inputs, outputs](unsigned index) {
      Attributes a;
      a.threads_per_threadgroup = size, a.threadgroups_per_grid = groups, a.threads_per_grid = grid;
      a.threadgroup_position_in_grid = at;
      a.thread_position_in_threadgroup = uint3(index % size.x, index / size.x % size.y, index / size.x / size.y);
      a.thread_position_in_grid = at * size + a.thread_position_in_threadgroup;
      a.thread_index_in_threadgroup = index;
      a.thread_index_in_simdgroup = index % LANES, a.simdgroup_index_in_threadgroup = index / LANES;
      a.simdgroups_per_threadgroup = (size.x * size.y * size.z + LANES - 1) / LANES, a.threads_per_simdgroup = LANES;
      run_thread(inputs, outputs, a);
    };
  }
};

// Runs threadgroups in `order`, the fibers of one at a time; threads of the system have two at once. Returns what a
// threadgroup took of memory at the most.
size_t run_all(const Grid& grid, std::vector<uint> order, uint64_t seed, unsigned char* const* inputs,
               unsigned char* const* outputs) {
  unsigned threads = grid.size.x * grid.size.y * grid.size.z;
#ifdef EMULATOR_OS_THREADS
  Group groups[2] = {{threads, seed}, {threads, seed}};
  std::atomic<size_t> next{0};
  auto work = [&](Group& group) {
    for (size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < order.size();)
      group.run(grid.body(order[i], inputs, outputs));
  };
  std::thread other([&] { work(groups[1]); });
  work(groups[0]);
  other.join();
  return std::max(groups[0].most_memory(), groups[1].most_memory());
#else
  Group group(threads, seed);
  for (uint number : order) group.run(grid.body(number, inputs, outputs));
  return group.most_memory();
#endif
}

#ifdef EMULATOR_OS_THREADS
size_t run_together(const Grid&, std::vector<uint>, uint64_t, unsigned char* const*, unsigned char* const*) {
  end_undefined("grids with a place on the device run as fibers alone");
}
#else
// Runs all threadgroups at once, each as far as it gets by itself, in an order drawn anew.
size_t run_together(const Grid& grid, std::vector<uint> order, uint64_t seed, unsigned char* const* inputs,
                    unsigned char* const* outputs) {
  std::mt19937_64 random(seed + 2);
  std::vector<std::unique_ptr<Group> > groups;
  for (uint number : order) {
    groups.push_back(std::make_unique<Group>(grid.size.x * grid.size.y * grid.size.z, seed + 3 + number));
    groups.back()->start(grid.body(number, inputs, outputs));
  }
  size_t memory = 0, left = groups.size();
  while (left > 0) {
    std::shuffle(order.begin(), order.end(), random);
    bool went_on = false;
    left = 0;
    for (uint number : order) {
      went_on = groups[number]->advance() || went_on;
      left += !groups[number]->over();
    }
    if (!went_on && left > 0) end_undefined("threadgroups that wait for each other for ever");
  }
  for (auto& group : groups) memory = std::max(memory, group->most_memory());
  return memory;
}
#endif

int run(const char* given, const char* made) {
  std::ifstream job(given, std::ios::binary);
  uint64_t seed = read<uint64_t>(job);
  Grid grid;
  for (int i = 0; i < 3; ++i) grid.grid[i] = read<uint32_t>(job);
  for (int i = 0; i < 3; ++i) grid.size[i] = read<uint32_t>(job);
  grid.groups = uint3(grid.grid.x / grid.size.x, grid.grid.y / grid.size.y, grid.grid.z / grid.size.z);
  uint32_t most_groups = read<uint32_t>(job), together = read<uint32_t>(job);
  std::vector<Buffer> inputs, outputs;
  std::vector<std::string> before;
  std::vector<bool> may_change;
  std::vector<unsigned char*> from, to;
  for (uint32_t i = 0, count = read<uint32_t>(job); i < count; ++i) {
    may_change.push_back(read<uint32_t>(job) != 0);
    inputs.emplace_back(read<uint64_t>(job));
    from.push_back(inputs.back().data());
    job.read(reinterpret_cast<char*>(from.back()), inputs.back().size());
    before.emplace_back(reinterpret_cast<char*>(from.back()), inputs.back().size());
  }
  for (uint32_t i = 0, count = read<uint32_t>(job); i < count; ++i) {
    outputs.emplace_back(read<uint64_t>(job));
    to.push_back(outputs.back().data());
  }
  std::vector<uint> order(size_t(grid.groups.x) * grid.groups.y * grid.groups.z);
  for (size_t i = 0; i < order.size(); ++i) order[i] = uint(i);
  std::mt19937_64 random(seed + 1);
  std::shuffle(order.begin(), order.end(), random);
  if (order.size() > most_groups) order.resize(most_groups);
  size_t memory = (together ? run_together : run_all)(grid, order, seed, from.data(), to.data());
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs[i].require_whole("input", int(i));
    if (!may_change[i] && std::memcmp(before[i].data(), from[i], inputs[i].size()) != 0) {
      std::fprintf(stderr, "wrote to input %d\n", int(i));
      return GUARD_BROKEN;
    }
  }
  std::ofstream result(made, std::ios::binary);
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].require_whole("output", int(i));
    result.write(reinterpret_cast<char*>(to[i]), outputs[i].size());
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    if (may_change[i]) result.write(reinterpret_cast<char*>(from[i]), inputs[i].size());
  std::printf("%zu\n", memory);
  return 0;
}

}  // namespace emulator

int main(int argc, char** argv) { return argc == 3 ? emulator::run(argv[1], argv[2]) : 2; }
