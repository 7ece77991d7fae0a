"""Keeps work in the background from disturbing streams: one worker at a time, in slices with rests between them.

The threads that compute a token meet hundreds of times, so each wait for a core that something else has makes all of
them wait; two such workers on two cores hold a stream up for hundreds of milliseconds. So whatever takes long beside a
server's streams (processes that start, weights that are read, files that are hashed) says ``pause`` every now and then.
While nobody streams that costs next to nothing. While somebody does, the worker rests for a part of the time that it
worked, and lets others work meanwhile: of all processes of a server one works at a time, which has a file's lock.

Imported before all else by processes that start, so it imports little itself.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import threading
import time
from types import TracebackType
from typing import Any

STREAMING = "streaming"
"""A file in the run directory that is there while streams run beside work in the background."""

LOADING = "loading"
"""A file beside it that is there while engines load beside streams."""

_LOCK = "background.lock"
_VARIABLE, _TURN = "_MLXR_PACE", "_MLXR_PACE_TURN"
"""Name the run directory to a process that starts, and the descriptor of the lock that it holds from its birth."""

_BLAS_THREADS = "OPENBLAS_NUM_THREADS"

_AHEAD, _BEHIND = "_MLXR_PACE_AHEAD", "_MLXR_PACE_BEHIND"
"""Name the ends of a pipe to two processes of which one is to be ready first."""

BEHIND_SECONDS = 1.0
"""How long a process waits at most for the one ahead of it."""

SLICE_SECONDS = 0.002
"""Work between two looks at whether somebody streams."""

REST = 0.25
"""Of the time that it worked, how long a worker rests."""


class Pacer:
    """Paces one thread's work. ``directory``: the server's run directory; '' for work that disturbs nobody.
    ``lock``: the descriptor by which it has its turn already, -1 for none."""

    def __init__(self, directory: str | os.PathLike[str] = "", lock: int = -1) -> None:
        self._directory = os.fspath(directory)
        self._marker = os.path.join(self._directory, STREAMING)
        self._lock = lock
        self._began = time.thread_time()
        self._owner = threading.get_ident()

    def __enter__(self) -> Pacer:
        self._owner = threading.get_ident()
        self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._let_go()

    def pause(self) -> None:
        """Rests, if that is due; to be called about every millisecond of work, by the thread that entered."""
        worked = time.thread_time() - self._began
        if worked < SLICE_SECONDS or not self._directory or threading.get_ident() != self._owner:
            return
        self._let_go()
        if os.path.exists(self._marker):
            time.sleep(worked * REST)
        self._begin()

    def _begin(self) -> None:
        if self._directory and self._lock < 0:
            self._lock = _turn(self._directory)
        self._began = time.thread_time()

    def _let_go(self) -> None:
        """Closing gives the lock back. A file of its own each time: a process that is forked meanwhile shares none."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def streams_run(directory: str | os.PathLike[str]) -> bool:
    """Whether somebody streams from the server with that run directory, which has work in the background."""
    return os.path.exists(os.path.join(os.fspath(directory), STREAMING))


def loads_run(directory: str | os.PathLike[str]) -> bool:
    """Whether engines of the server with that run directory load while somebody streams."""
    return os.path.exists(os.path.join(os.fspath(directory), LOADING))


def _turn(directory: str) -> int:
    """Waits for the turn of work in the background; returns the descriptor that holds it, -1 where nobody streams."""
    if not os.path.exists(os.path.join(directory, STREAMING)):
        return -1
    try:
        lock = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return -1  # a run directory that is gone: the server ends
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        os.close(lock)
        return -1
    return lock


class StreamingMark:
    """The file that says whether streams run beside work in the background, or beside loads (``LOADING``). One owner
    sets it."""

    def __init__(self, directory: str | os.PathLike[str], name: str = STREAMING) -> None:
        self._path = os.path.join(os.fspath(directory), name)
        self._there: bool | None = None

    def set(self, streaming: bool) -> None:
        if streaming == self._there:
            return
        try:
            if streaming:
                os.close(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            elif os.path.exists(self._path):
                os.remove(self._path)
            self._there = streaming
        except OSError:
            pass  # a run directory that can't be written to: loads are not paced


class _PausesAtImports:
    """A finder of modules that finds none, and pauses whenever one is looked for."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        self._pacer.pause()


class PacedImports:
    """Paces a thread's imports within a block."""

    def __init__(self, directory: str | os.PathLike[str], lock: int = -1) -> None:
        self._pacer = Pacer(directory, lock)
        self._finder = _PausesAtImports(self._pacer)

    def __enter__(self) -> Pacer:
        self._pacer.__enter__()
        sys.meta_path.insert(0, self._finder)
        return self._pacer

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        sys.meta_path.remove(self._finder)
        self._pacer.__exit__(kind, error, at)


class Queued:
    """The order of two processes, of which the second imports nothing while the first still does: with the one that
    starts them they would be three on what may be two cores, and what all wait for would be as slow as the rest.

    first, second: what each needs to know.
    first_descriptors, second_descriptors: what each must inherit.
    """

    def __init__(self) -> None:
        read, write = os.pipe()
        self.first, self.second = {_AHEAD: str(write)}, {_BEHIND: str(read)}
        self.first_descriptors, self.second_descriptors = (write,), (read,)

    def __enter__(self) -> Queued:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for descriptor in (*self.first_descriptors, *self.second_descriptors):
            os.close(descriptor)  # the processes have their own


def let_next() -> None:
    """This process has imported what it was to import: the one behind it, if there is one, may begin."""
    if ahead := os.environ.pop(_AHEAD, ""):
        os.close(int(ahead))


def _wait_behind() -> None:
    if behind := os.environ.pop(_BEHIND, ""):
        select.select([int(behind)], [], [], BEHIND_SECONDS)
        os.close(int(behind))


def starting() -> PacedImports:
    """Paces the imports of a process that was born in its ``Turn``, or behind another (``Queued``)."""
    _wait_behind()
    lock = int(os.environ.pop(_TURN, "-1"))
    if lock >= 0:
        os.set_inheritable(lock, False)
    return PacedImports(os.environ.get(_VARIABLE, ""), lock)


def background() -> Pacer:
    """Paces work of this process for the server that it is, or was started by; nothing where there is none."""
    return Pacer(os.environ.get(_VARIABLE, ""))


def serve_from(directory: str | os.PathLike[str]) -> None:
    """This process is the server with that run directory: its work in the background, and that of all processes that
    it starts, makes way for its streams."""
    os.environ[_VARIABLE] = os.fspath(directory)
    # NumPy's BLAS starts threads that at first wait busily for work: those of each engine that started took a core from
    # running streams for up to 100 ms. Nothing here multiplies large matrices by NumPy.
    os.environ.setdefault(_BLAS_THREADS, "1")


def environment() -> dict[str, str]:
    """Returns what of ``serve_from`` processes know by."""
    return {name: os.environ[name] for name in (_VARIABLE, _BLAS_THREADS)}


class Turn:
    """Within it a process may be started: its first moments, which nothing paces, are its turn already.

    environment: what it needs to know.
    descriptors: what it must inherit.
    """

    def __init__(self, directory: str, lock: int) -> None:
        self.environment = {_VARIABLE: directory} | ({_TURN: str(lock)} if lock >= 0 else {})
        self.descriptors = (lock,) if lock >= 0 else ()

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)  # the process has its own


def turn(directory: str) -> Turn:
    """Returns the turn of a process that is about to be started; waits for it, where streams run."""
    return Turn(directory, _turn(directory) if directory else -1)
