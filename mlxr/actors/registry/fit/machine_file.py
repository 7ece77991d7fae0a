"""What this machine computes with and how fast, measured once and kept in ``MLXR_HOME``."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import anyio
import msgspec
from msgspec import Struct

from mlxr.actors.executor.settings import ExecutorSection
from mlxr.metal.machine import Machine, is_busy
from mlxr.runtime.errors import MlxrError
from mlxr.runtime.paths import Home
from mlxr.runtime.whole_files import write_whole

SECONDS = 120.0
"""A GPU's kernels are checked the first time."""

FIGURES = "arithmetic"
"""What a measurement has had last: an older one is made anew."""


class CanNotMeasure(MlxrError):  # noqa: N818
    """The backend that is asked for can't be used here; says why."""


class _Kept(Struct, frozen=True):
    """``key``: what a measurement holds for."""

    key: list[str]
    machine: Machine


async def measured(home: Home, executor: ExecutorSection) -> Machine:
    """Returns what is known of the machine, and measures it where nothing is, or where it was busy then and is not now.
    Of memory that only a device has the amount is of now. Raises ``CanNotMeasure``."""
    key = _key(executor)
    kept = _read(home.machine, key)
    if kept is not None and (is_busy() or not kept.busy) and (kept.memory is None or kept.shares_memory):
        return kept
    machine = await _measure(home, executor)
    with suppress(OSError):  # a home that is read-only, or a full disk: it is measured again next time
        _write(home.machine, _Kept(key, machine))
    return machine


def known(home: Home, executor: ExecutorSection) -> Machine | None:
    """Returns what was measured of the machine, None where nothing was."""
    return _read(home.machine, _key(executor)) if home.machine.exists() else None


async def _measure(home: Home, executor: ExecutorSection) -> Machine:
    command = [sys.executable, "-m", "mlxr.metal.machine", executor.backend, str(executor.threads), str(home.checks)]
    try:
        with anyio.fail_after(SECONDS):
            done = await anyio.run_process(command, check=False, stdin=subprocess.DEVNULL)
    except TimeoutError:
        raise CanNotMeasure(f"the {executor.backend} backend did not start within {SECONDS:.0f} s") from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        raise CanNotMeasure(
            f"the {executor.backend} backend can't be used: {lines[-1] if lines else 'it said nothing'}"
        )
    return msgspec.json.decode(done.stdout, type=Machine)


def _key(executor: ExecutorSection) -> list[str]:
    from importlib import metadata  # takes a while, with all that reads the headers of letters

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    versions = [*(metadata.version(name) for name in ("mlxr", "mlx")), FIGURES]
    return [platform.node(), platform.machine(), str(cores), executor.backend, str(executor.threads), *versions]


def _read(path: Path, key: list[str]) -> Machine | None:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
    return kept.machine if kept.key == key else None


def _write(path: Path, kept: _Kept) -> None:
    write_whole(path, msgspec.json.encode(kept).decode(), 0o600)
