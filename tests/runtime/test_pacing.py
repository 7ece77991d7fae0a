"""Work in the background takes turns while somebody streams, and is left alone while nobody does."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mlxr.runtime import pacing
from mlxr.runtime.host import actor_class
from mlxr.runtime.pacing import PacedImports, Pacer, StreamingMark

LOCK = "background.lock"


@pytest.fixture
def streaming(tmp_path: Path) -> Path:
    """A run directory of a server with streams."""
    StreamingMark(tmp_path).set(True)
    return tmp_path


def taken(directory: Path) -> bool:
    """Whether somebody has the turn."""
    with (directory / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def work(pacer: Pacer) -> None:
    """Some milliseconds of work."""
    sum(range(1_000_000))
    pacer.pause()


def test_the_mark_is_there_while_somebody_streams(tmp_path: Path) -> None:
    mark = StreamingMark(tmp_path)
    mark.set(True)
    assert (tmp_path / pacing.STREAMING).exists()
    mark.set(False)
    assert not (tmp_path / pacing.STREAMING).exists()


def test_a_mark_that_an_earlier_server_left_is_taken_away(streaming: Path) -> None:
    StreamingMark(streaming).set(False)
    assert not (streaming / pacing.STREAMING).exists()


def test_work_has_the_turn_until_it_is_done(streaming: Path) -> None:
    with Pacer(streaming) as pacer:
        assert taken(streaming)
        work(pacer)
        assert taken(streaming)
    assert not taken(streaming)


def test_work_takes_no_turn_while_nobody_streams(tmp_path: Path) -> None:
    with Pacer(tmp_path) as pacer:
        work(pacer)
        assert not (tmp_path / LOCK).exists()
        StreamingMark(tmp_path).set(True)
        work(pacer)
        assert taken(tmp_path)
        StreamingMark(tmp_path).set(False)
        work(pacer)
        assert not taken(tmp_path)


def test_two_workers_take_turns(streaming: Path) -> None:
    """Neither is at work while the other is, and both come to an end."""
    at_work, most, done = 0, 0, 0
    counting = threading.Lock()

    def worker() -> None:
        nonlocal at_work, most, done
        with Pacer(streaming) as pacer:
            for _ in range(5):
                with counting:
                    at_work += 1
                    most = max(most, at_work)
                sum(range(1_000_000))
                with counting:
                    at_work -= 1
                pacer.pause()
        with counting:
            done += 1

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, done) == (1, 3)


def test_imports_within_a_block_are_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[str] = []
    monkeypatch.setattr(Pacer, "pause", lambda self: pauses.append("pause"))
    with PacedImports(tmp_path), pytest.raises(ModuleNotFoundError):
        __import__("there_is_no_such_module")
    assert pauses
    assert not any(isinstance(finder, pacing._PausesAtImports) for finder in sys.meta_path)


def test_a_process_has_the_turn_from_its_birth_to_its_end(streaming: Path) -> None:
    program = (
        "import sys; from mlxr.runtime import pacing\n"
        "with pacing.starting() as pacer: print('born', flush=True); sys.stdin.readline()\n"
        "print('ready', flush=True); sys.stdin.readline()"
    )
    with pacing.turn(os.fspath(streaming)) as turn:
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **turn.environment},
            pass_fds=turn.descriptors,
            text=True,
        )
    with child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert taken(streaming)
        assert child.stdout.readline() == "born\n"
        assert taken(streaming)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "ready\n"
        assert not taken(streaming)
        child.stdin.close()


def test_a_run_directory_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    StreamingMark(gone).set(True)
    with Pacer(gone) as pacer:
        work(pacer)
    assert pacing.turn(os.fspath(gone)).descriptors == ()


def test_processes_of_a_server_start_no_threads_for_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {name: value for name, value in os.environ.items() if "BLAS" not in name})
    pacing.serve_from(tmp_path)
    program = "import numpy, psutil; print(psutil.Process().num_threads())"
    child = subprocess.run([sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True)
    assert child.stdout.strip() == "1"


def test_the_servers_own_process_waits_for_no_turn_when_an_engine_starts(
    streaming: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its event loop hands tokens out: what it hosts of an engine starts at once, whoever works in the background."""
    monkeypatch.setenv("_MLXR_PACE", str(streaming))
    with Pacer(streaming):
        starts = threading.Thread(target=actor_class, args=("mlxr.actors.scheduler.actor:SchedulerActor",), daemon=True)
        starts.start()
        starts.join(60)
        assert not starts.is_alive()


AHEAD = "import sys; from mlxr.runtime import pacing; sys.stdin.read(1); pacing.let_next(); sys.stdin.read()"
BEHIND = """
from mlxr.runtime import pacing
pacing.BEHIND_SECONDS = 600.0
with pacing.starting():
    print("begins", flush=True)
"""


def test_a_process_behind_another_imports_nothing_before_that_is_ready() -> None:
    def begun(code: str, known: dict[str, str], descriptors: tuple[int, ...]) -> subprocess.Popen[bytes]:
        command, pipe = [sys.executable, "-c", code], subprocess.PIPE
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, env={**os.environ, **known}, pass_fds=descriptors, bufsize=0
        )

    with pacing.Queued() as queued:
        ahead = begun(AHEAD, queued.first, queued.first_descriptors)
        behind = begun(BEHIND, queued.second, queued.second_descriptors)
    with ahead, behind:
        assert ahead.stdin is not None
        assert behind.stdout is not None
        assert not select.select([behind.stdout], [], [], 0.1)[0]
        ahead.stdin.write(b"x")
        assert behind.stdout.readline() == b"begins\n"
        ahead.stdin.close()
