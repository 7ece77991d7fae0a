"""A process that measures when told to, so that one side's threads and memory are not the other's.

Commands and answers are lines of JSON: ``["decode", 1, 64, 64]`` is answered by a number.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from types import TracebackType

from bench.server import ROOT

TIMED_SECONDS, LEAST_TIMES = 0.1, 5

REST_SECONDS = 0.05
"""Between two measurements, so that the threads of the one before, which may spin, have gone to sleep."""


class Worker:
    """The parent's side of ``python -m MODULE ARGUMENTS``."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self, case: str, *numbers: float | str) -> float:
        """Raises ``RuntimeError`` when the process has ended instead of answering."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        time.sleep(REST_SECONDS)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps([case, *numbers]) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return float(json.loads(answer))

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()


def serve(cases: Mapping[str, Callable[..., float]]) -> None:
    """The child's side: answer until the parent closes stdin. Anything else that prints goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    for line in sys.stdin:
        case, *numbers = json.loads(line)
        answers.write(json.dumps(cases[case](*numbers)) + "\n")
        answers.flush()


def importable(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def median_microseconds(run: Callable[[], object]) -> float:
    """The median duration of ``run``, called for ``TIMED_SECONDS`` after a first time that does not count."""
    run()
    times: list[float] = []
    while sum(times) < TIMED_SECONDS or len(times) < LEAST_TIMES:
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6
