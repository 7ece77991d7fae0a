// What this machine gives at most, so that measured speeds have something to be held against.
#pragma once

#include "base/isa.h"
#include "base/threadpool.h"

namespace mlxr {

/// Bytes a second that all threads of the pool read of memory, each a range of its own: the best of some passes over
/// more than caches hold.
double measure_reading(ThreadPool& pool, Isa isa);

/// Products of a weight's code and a 16-bit activation a second that all threads make together.
double measure_products(ThreadPool& pool, Isa isa);

}  // namespace mlxr
