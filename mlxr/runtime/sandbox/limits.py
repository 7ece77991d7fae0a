"""What one task may use, and how a worker process is held to it."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import sys
import time
from pathlib import Path

from msgspec import Struct

STACK_BYTES = 512 << 10
"""Stack of the thread that a task runs on: the smallest that any thread of mlxr has (macOS gives its threads so
much), so that what a task survived, its users survive."""

_STATM = Path("/proc/self/statm")
_RUSAGE_INFO_V0 = 0
_RESIDENT_AT = 64
"""Offset of ``ri_resident_size`` in macOS's ``struct rusage_info_v0`` (sys/resource.h)."""


class TaskLimits(Struct, frozen=True, array_like=True):
    """TaskLimits of one task.

    Attributes:
        cpu_seconds: processor time, rounded up to the kernel's whole seconds.
        seconds: wall-clock time from when a worker takes the task.
        memory: bytes beyond what the worker held at its start.
        nice: what is added to the worker's niceness; tasks of different niceness never wait for each other.
    """

    cpu_seconds: int = 2
    seconds: float = 10.0
    memory: int = 512 << 20
    nice: int = 0


def address_space() -> int:
    """Returns the bytes of this process's address space; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def hold_to(limits: TaskLimits, base: int) -> None:
    """Lets the kernel hold this process to ``limits`` from now on. ``base``: its ``address_space`` at its start."""
    if base:
        _set_soft(resource.RLIMIT_AS, base + limits.memory)
    _set_soft(resource.RLIMIT_CPU, math.ceil(time.process_time()) + limits.cpu_seconds)


def let_go() -> None:
    """Lifts the limits that ``hold_to`` has set."""
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
        resource.setrlimit(kind, (resource.getrlimit(kind)[1],) * 2)


def never_dump_core() -> None:
    """A worker that is killed leaves no file behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def resident(pid: int) -> int:
    """Returns how many bytes of memory that process ``pid`` holds, on macOS, whose kernel does not enforce
    ``RLIMIT_AS``; else 0."""
    if sys.platform != "darwin":
        return 0
    buffer = (ctypes.c_uint8 * 256)()
    if ctypes.CDLL(None).proc_pid_rusage(pid, _RUSAGE_INFO_V0, ctypes.byref(buffer)) != 0:
        return 0
    return int.from_bytes(bytes(buffer[_RESIDENT_AT : _RESIDENT_AT + 8]), sys.byteorder)


def _set_soft(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def was_killed(status: int | None) -> bool:
    """Tells whether a process with that wait status was killed by somebody (the system short of memory, say)."""
    return status is not None and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def describe_end(status: int) -> tuple[str, str]:
    """Returns why a worker ended that was not told to, by its wait status: a reason and a phrase."""
    if was_killed(status):
        return "killed", "was being looked at by a process that somebody killed"
    if not os.WIFSIGNALED(status):
        return "crash", "ended the process that looked at it"
    number = os.WTERMSIG(status)
    if number == signal.SIGXCPU:
        return "time", "takes too much processor time"
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    return "crash", f"crashed the process that looked at it ({name})"
