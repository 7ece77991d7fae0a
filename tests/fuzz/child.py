"""Reads a range of one kind's cases, each under limits:

    python -m tests.fuzz.child KIND SEED FIRST LAST SECONDS STATE FOLDER

Says each finding on standard output, a JSON object a line. A case that takes ``CPU_SECONDS`` of processor time ends
the process by SIGPROF, native code or not; ``STATE`` (a mapped file) then tells the parent which it was.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import mmap
import os
import resource
import signal
import struct
import sys
import threading
import time
import traceback
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.kind import Kind

CPU_SECONDS = 5.0
STACK = 512 << 10
"""What a thread has on macOS."""
SPARE = 200 << 20
"""Bytes a case may take beside twice its own size."""
ADDRESS_SPACE = 3 << 30
"""What a case may ask for at all, so that one that asks for everything does not get it from the machine."""
STATE = struct.Struct("<q")
CLEAR = Path("/proc/self/clear_refs")


def kind_named(name: str) -> type[Kind]:
    module = importlib.import_module(f"tests.fuzz.kinds.{name}")
    return next(
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Kind) and each.__module__ == module.__name__
    )


def case(kind: Kind, name: str, seed: int, index: int) -> bytes:
    return kind.make(Random(f"{name} {seed} {index}"))


class Child:
    def __init__(self, name: str, seed: int, folder: Path, state: mmap.mmap) -> None:
        self._name, self._seed, self._state = name, seed, state
        self._kind = kind_named(name)(folder)
        self._smallest: dict[str, int] = {}
        self._counts: dict[str, int] = {}

    def run(self, first: int, last: int, seconds: float) -> None:
        """Read cases until ``seconds`` are over."""
        end = time.monotonic() + seconds
        if self._kind.SMALL_STACK:
            limit_address_space()
        for index in range(first, last):
            if time.monotonic() > end:
                last = index
                break
            data = case(self._kind, self._name, self._seed, index)
            STATE.pack_into(self._state, 0, index)
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            before = reset_peak()
            began = time.process_time()
            try:
                self._kind.read(data)
            except self._kind.REFUSALS:
                pass
            except BaseException as error:
                self._found(index, data, f"{signature(error)}: {str(error)[:120]!r}")
            signal.setitimer(signal.ITIMER_PROF, 0)
            grown = peak() - before
            if grown > 2 * len(data) + SPARE:
                self._found(index, data, f"took {grown >> 20} MB for {len(data)} bytes", "memory")
                gc.collect()
            if time.process_time() - began > 1:
                self._found(index, data, f"{time.process_time() - began:.1f} s", "slow")
        try:
            self._kind.close()
        except Exception as error:
            self._found(last - 1, b"", f"{signature(error)}: {str(error)[:1000]}", "end")
        say(done=last, counts=self._counts, ended=self._kind.ended, gap=self._kind.gap)

    def _found(self, index: int, data: bytes, what: str, kind: str = "error") -> None:
        key = what.partition(": ")[0] if kind == "error" else kind
        self._counts[key] = self._counts.get(key, 0) + 1
        if len(data) < self._smallest.get(key, sys.maxsize):
            self._smallest[key] = len(data)
            say(key=key, kind=kind, index=index, bytes=len(data), what=what)


def say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


def signature(error: BaseException) -> str:
    """The error's type and the innermost line of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"{os.sep}mlxr{os.sep}" in frame.filename] or frames
    at = Path(ours[-1].filename)
    place = "/".join(at.parts[at.parts.index("mlxr") :]) if "mlxr" in at.parts else at.name
    return f"{type(error).__name__} at {place}:{ours[-1].lineno}"


def limit_address_space() -> None:
    if sys.platform == "linux":
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESS_SPACE, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def reset_peak() -> int:
    """The memory held now, in bytes; from here on ``peak`` counts anew (on Linux: elsewhere it only grows)."""
    with contextlib.suppress(OSError):
        CLEAR.write_text("5")
    return peak()


def peak() -> int:
    """The most memory held, in bytes. On Linux of this process's own life: what ``getrusage`` says begins with what the
    process held that this one was forked from."""
    if sys.platform == "linux":
        return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    name, seed, first, last, seconds, state, folder = sys.argv[1:]
    cases = int(first), int(last), float(seconds)
    with open(state, "r+b") as file:
        child = Child(name, int(seed), Path(folder), mmap.mmap(file.fileno(), STATE.size))
    if kind_named(name).SMALL_STACK:
        threading.stack_size(STACK)
        worker = threading.Thread(target=child.run, args=cases)
        worker.start()
        worker.join()
    else:
        child.run(*cases)


if __name__ == "__main__":
    main()
