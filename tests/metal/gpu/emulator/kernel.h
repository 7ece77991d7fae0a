// What a kernel's program gives to the one that runs it.
#pragma once

#include "metal.h"

namespace emulator {

struct Attributes {
  uint3 thread_position_in_grid, threadgroup_position_in_grid, thread_position_in_threadgroup;
  uint3 threads_per_threadgroup, threadgroups_per_grid, threads_per_grid;
  uint thread_index_in_threadgroup, thread_index_in_simdgroup, simdgroup_index_in_threadgroup;
  uint simdgroups_per_threadgroup, threads_per_simdgroup;
};

// Runs the kernel's body for one thread.
void run_thread(unsigned char* const* inputs, unsigned char* const* outputs, const Attributes& attributes);

}  // namespace emulator
