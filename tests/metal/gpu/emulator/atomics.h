// Atomic operations and the fence between threadgroups, of Metal 3.2.
#pragma once

#include "simdgroups.h"
#if defined(EMULATOR_OS_THREADS)
#include <sanitizer/tsan_interface.h>
#endif

namespace metal {

enum memory_order {
  memory_order_relaxed,
  memory_order_acquire,
  memory_order_release,
  memory_order_acq_rel,
  memory_order_seq_cst
};
enum thread_scope { thread_scope_thread, thread_scope_simdgroup, thread_scope_threadgroup, thread_scope_device };

template <typename T>
struct atomic {
  T value;
};
using atomic_uint = atomic<uint>;
using atomic_int = atomic<int>;

// ThreadSanitizer knows no fences, but what they come to: what a thread writes to an atomic behind a fence tells what
// it did before, and a fence behind a read hears it.
#if defined(EMULATOR_OS_THREADS)
struct Fences {
  bool told = false;
  void* read = nullptr;
};
inline Fences& fences() {
  static thread_local Fences own;
  return own;
}
inline void writes(void* at) {
  if (fences().told) __tsan_release(at);
}
inline void reads(void* at) { fences().read = at; }
inline void fence() {
  fences().told = true;
  if (fences().read) __tsan_acquire(fences().read);
}
#else
inline void writes(void*) {}
inline void reads(void*) {}
inline void fence() {}
#endif

inline void require_relaxed(memory_order order) {
  if (order != memory_order_relaxed) emulator::end_undefined("Metal's atomic operations are relaxed");
}

template <typename T>
T atomic_load_explicit(atomic<T>* from, memory_order order) {
  require_relaxed(order);
  T value = __atomic_load_n(&from->value, __ATOMIC_RELAXED);
  reads(from);
  return value;
}
template <typename T>
void atomic_store_explicit(atomic<T>* to, T value, memory_order order) {
  require_relaxed(order);
  writes(to);
  __atomic_store_n(&to->value, value, __ATOMIC_RELAXED);
}
template <typename T>
T atomic_fetch_add_explicit(atomic<T>* to, T value, memory_order order) {
  require_relaxed(order);
  writes(to);
  T before = __atomic_fetch_add(&to->value, value, __ATOMIC_RELAXED);
  reads(to);
  return before;
}

inline void atomic_thread_fence(mem_flags flags, memory_order order, thread_scope scope) {
  bool reaches = flags == mem_flags::mem_device && scope == thread_scope_device;
  if (!reaches || (order != memory_order_seq_cst && order != memory_order_acq_rel)) return;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  fence();
}

}  // namespace metal
