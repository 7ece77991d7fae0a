"""The native backend's threads: as many as asked for, and no effect on a number."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.cpu.backend import CpuBackend
from tests.metal.test_batch_invariance import TinyModel, texts


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    outputs = []
    for threads in (1, 2, 5):
        backend = CpuBackend(threads)
        assert backend.threads == threads
        outputs.append(TinyModel(backend, 0).read(texts(), [(0, 0, 600), (1, 0, 1)]))
    assert np.array_equal(outputs[0], outputs[1])
    assert np.array_equal(outputs[0], outputs[2])


def test_an_idle_pool_takes_no_processor_time() -> None:
    """In processor time of all threads while this one sleeps; a spinning thread would use half a second."""
    backend = CpuBackend(3)
    mx.eval(backend.rms_norm(mx.ones((4, 8)), mx.ones(8), 1e-5))
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - before < 0.1


SEATS = """
import os, sys
import mlx.core as mx
from mlxr.metal.cpu.backend import CpuBackend

backend = CpuBackend(int(sys.argv[1]))
mx.eval(backend.rms_norm(mx.ones((4, 8)), mx.ones(8), 1e-5))
masks = [sorted(os.sched_getaffinity(int(thread))) for thread in os.listdir("/proc/self/task")]
print(*sorted(mask[0] for mask in masks if len(mask) == 1))
"""


def seats(threads: int) -> list[int]:
    """The CPUs that have a thread of their own in a process whose backend has so many threads."""
    command = [sys.executable, "-c", SEATS, str(threads)]
    return [int(cpu) for cpu in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()]


@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2,
    reason="other systems let no thread choose its CPU, and one CPU leaves no choice",
)
def test_a_team_that_takes_every_cpu_has_one_thread_on_each_and_others_wander() -> None:
    cpus = sorted(os.sched_getaffinity(0))
    assert seats(len(cpus)) == cpus
    assert seats(len(cpus) + 1) == []
