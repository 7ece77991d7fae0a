"""Starts children over ranges of cases, a few at a time, and gathers what they find."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.child import STATE, case, kind_named

ROOT = Path(__file__).parents[2]
FINDINGS = ROOT / "build" / "fuzz"
"""Where the inputs behind findings are kept; git ignores it."""
SILENT_SECONDS = 90.0
"""A child that gets no further for so long waits for something that never comes. Its processor time is limited more
tightly, by itself."""
NAMES = (
    "gguf",
    "safetensors",
    "tokenizer_json",
    "folders",
    "schemas",
    "grammars",
    "regexes",
    "templates",
    "bodies",
    "raw_http",
)


@dataclass
class Finding:
    """``kind``: error, memory, crash, hang, or end (what is found wrong when all has been read). ``kept``: the smallest
    input."""

    kind: str
    what: str
    index: int
    bytes: int
    count: int = 1
    kept: Path | None = None


@dataclass
class Report:
    """``slow``: cases that took over a second. ``ended``: cases that a sandbox's limits ended. ``gap``: the longest
    pause of another client's stream, in seconds."""

    name: str
    seed: int
    wanted: int
    read: int = 0
    seconds: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)
    slow: int = 0
    ended: int = 0
    gap: float = 0.0


Batch = tuple[Report, int, int]
"""Cases from one on, and before another."""


class Parent:
    """``seconds``: after which no further case is begun."""

    def __init__(self, seed: int, seconds: float, jobs: int = 2) -> None:
        self._seed, self._end, self._jobs = seed, time.monotonic() + seconds, jobs
        self._lock = threading.Lock()

    def run(self, wanted: dict[str, int]) -> list[Report]:
        """Read so many cases of each kind."""
        reports = {name: Report(name, self._seed, count) for name, count in wanted.items()}
        batches = [
            (report, first, min(first + kind_named(name).BATCH, report.wanted))
            for name, report in reports.items()
            for first in range(0, report.wanted, kind_named(name).BATCH)
        ]
        waiting = spread(batches)
        with ThreadPoolExecutor(self._jobs) as pool:
            for future in [pool.submit(self._work, waiting, job == 0) for job in range(self._jobs)]:
                future.result()
        for report in reports.values():
            self._keep(report)
        return list(reports.values())

    def _work(self, waiting: list[Batch], serves: bool) -> None:
        """Read one batch after the other. What is sent to a server is one job's, before all else: two servers at once
        would be in each other's way, and one at the end would be alone."""
        while (batch := self._next(waiting, serves)) is not None:
            self._batch(*batch)

    def _next(self, waiting: list[Batch], serves: bool) -> Batch | None:
        with self._lock:
            own = [batch for batch in waiting if kind_named(batch[0].name).SERVED]
            others = [batch for batch in waiting if batch not in own]
            found = next(iter([*own, *others] if serves else others), None)
            if found is not None:
                waiting.remove(found)
            return found

    def _batch(self, report: Report, first: int, last: int) -> None:
        began = time.monotonic()
        while first < last and time.monotonic() < self._end:
            first = self._child(report, first, last)
        report.seconds += time.monotonic() - began

    def _child(self, report: Report, first: int, last: int) -> int:
        """Read cases from ``first`` on, until the child ends; returns the first that it has not read."""
        with tempfile.TemporaryDirectory(prefix="mlxr-fuzz-") as folder:
            state = Path(folder) / "state"
            state.write_bytes(STATE.pack(first - 1))
            numbers = (str(self._seed), str(first), str(last), str(self._end - time.monotonic()))
            command = [sys.executable, "-m", "tests.fuzz.child", report.name, *numbers, str(state), folder]
            with (
                (Path(folder) / "errors").open("w+b") as errors,
                subprocess.Popen(
                    command,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    text=True,
                    process_group=0,
                ) as child,
            ):
                watcher = threading.Thread(target=watch, args=(child, state))
                watcher.start()
                assert child.stdout is not None
                try:
                    done = self._hear(report, child.stdout)
                    status = child.wait()
                finally:
                    end_group(child.pid)
                watcher.join()
                at = STATE.unpack(state.read_bytes())[0]
                if done is not None:
                    with self._lock:
                        report.read += done - first
                    return last
                errors.seek(0)
                text = errors.read().decode(errors="replace")
            if at < first:
                raise RuntimeError(f"{report.name} can't begin (status {status}):\n{text[-4000:]}")
            with self._lock:
                report.read += at + 1 - first
                self._died(report, at, status, text)
            return at + 1

    def _hear(self, report: Report, lines: Iterable[str]) -> int | None:
        """The first case that was not read, if the child came to its end."""
        for line in lines:
            said = json.loads(line)
            with self._lock:
                if "done" in said:
                    report.ended += said["ended"]
                    report.gap = max(report.gap, said["gap"])
                    for what, count in said["counts"].items():
                        if what == "slow":
                            report.slow += count
                        elif what in report.findings:
                            report.findings[what].count += count - 1
                    return int(said["done"])
                if (key := said.pop("key")) != "slow":
                    self._add(report, key, Finding(**said))
        return None

    def _died(self, report: Report, index: int, status: int, text: str) -> None:
        name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        kind = "hang" if status in (-signal.SIGPROF, -signal.SIGKILL) else "crash"
        last = next((line for line in reversed(text.splitlines()) if line.strip()), "")[:160]
        panic = next((line for line in text.splitlines() if "panicked" in line or "ERROR: Address" in line), last)[:200]
        data = case(kind_named(report.name)(Path(tempfile.mkdtemp())), report.name, self._seed, index)
        self._add(report, f"{kind} {name}", Finding(kind, f"{name}: {panic}", index, len(data)))

    def _add(self, report: Report, key: str, finding: Finding) -> None:
        known = report.findings.get(key)
        if known is None:
            report.findings[key] = finding
            return
        known.count += 1
        if finding.bytes < known.bytes:
            known.index, known.bytes, known.what = finding.index, finding.bytes, finding.what

    def _keep(self, report: Report) -> None:
        with tempfile.TemporaryDirectory(prefix="mlxr-fuzz-") as folder:
            if not report.findings:
                return
            kind = kind_named(report.name)(Path(folder))
            for finding in report.findings.values():
                finding.kept = FINDINGS / f"{report.name}-{self._seed}-{finding.index}"
                finding.kept.parent.mkdir(parents=True, exist_ok=True)
                finding.kept.write_bytes(case(kind, report.name, self._seed, finding.index))
            kind.close()


def end_group(leader: int) -> None:
    """End what a child that died may have left running: servers and sandboxes of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def watch(child: subprocess.Popen[str], state: Path) -> None:
    """End a child that gets no further."""
    at, since = state.read_bytes(), time.monotonic()
    while child.poll() is None:
        time.sleep(0.1)
        with_state = state.read_bytes() if state.exists() else at
        if with_state != at:
            at, since = with_state, time.monotonic()
        elif time.monotonic() - since > SILENT_SECONDS:
            child.kill()


def spread(batches: list[Batch]) -> list[Batch]:
    """Kinds in turn, so that a run that is cut short has read some of each."""
    turns: dict[str, int] = {}
    keyed = []
    for batch in batches:
        turn = turns[batch[0].name] = turns.get(batch[0].name, -1) + 1
        keyed.append((turn * kind_named(batch[0].name).BATCH / max(batch[0].wanted, 1), batch))
    return [batch for _, batch in sorted(keyed, key=lambda pair: pair[0])]
