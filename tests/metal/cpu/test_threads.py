"""The native backend's threads: as many as asked for, and no effect on a number."""

from __future__ import annotations

import time

import mlx.core as mx
import numpy as np
import psutil

from mlxr.metal.cpu.backend import CpuBackend
from tests.metal.parity.test_batch_invariance import TinyModel, texts


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    outputs = []
    for threads in (1, 2, 5):
        backend = CpuBackend(threads)
        assert backend.threads == threads
        outputs.append(TinyModel(backend, 0).read(texts(), [(0, 0, 600), (1, 0, 1)]))
    assert np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[0], outputs[2])


def test_a_cpu_that_is_left_to_others_and_taken_again_changes_no_result() -> None:
    backend, found = CpuBackend(3), []
    for shared in (False, True, True, False, True, False):
        backend.share_cpus(shared)
        found.append(TinyModel(backend, 0).read(texts(), [(0, 0, 600), (1, 0, 1)]))
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_threads_that_are_left_out_and_taken_again_at_any_time_hold_nothing_up() -> None:
    """Each region has other threads than the one before, and engines end right behind one."""
    x = mx.arange(256, dtype=mx.float32).reshape(4, 64)
    expected = np.array(mx.fast.rms_norm(x, mx.ones(64), 1e-5))
    for _ in range(5):
        backend = CpuBackend(4)
        norm = backend.rms_norm(mx.ones(64), 1e-5)
        for number in range(30):
            backend.share_cpus(number % 2 == 0)
            assert np.allclose(np.array(norm(x)), expected, rtol=1e-5)
        del backend, norm


def seconds() -> dict[int, float]:
    """Processor time of this process's threads."""
    return {thread.id: thread.user_time + thread.system_time for thread in psutil.Process().threads()}


def test_a_thread_that_is_left_out_leaves_its_cpu_to_others() -> None:
    x = mx.ones((64, 4096))
    mx.eval(CpuBackend(1).rms_norm(mx.ones(4096), 1e-5)(x))  # MLX has its thread by then
    known = seconds().keys()
    backend = CpuBackend(3)
    backend.share_cpus(True)
    norm = backend.rms_norm(mx.ones(4096), 1e-5)
    left_out = used = 0.0
    while used < 0.3:
        for _ in range(100):
            mx.eval(norm(x))
        left_out, used = sorted(taken for id, taken in seconds().items() if id not in known)[-2:]
    assert left_out < used / 2


def test_an_idle_pool_takes_no_processor_time() -> None:
    """In processor time of all threads while this one sleeps; a spinning thread would use half a second."""
    backend = CpuBackend(3)
    mx.eval(backend.rms_norm(mx.ones(8), 1e-5)(mx.ones((4, 8))))
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1
