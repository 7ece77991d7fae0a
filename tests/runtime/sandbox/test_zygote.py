"""The process that workers are forked from, by what it is told over its sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlxr.runtime.first_processes import zygote_command, zygote_environment
from mlxr.runtime.sandbox.limits import TaskLimits
from mlxr.runtime.sandbox.protocol import FORK, NEST, Forked, Report, Setup, Task, decode, encode, frame, read_frame
from mlxr.runtime.sandbox.zygote import Zygote
from tests.server.processes import alive


def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def say(end: socket.socket, what: Any) -> None:
    end.sendall(frame(encode(what)))


def forked(control: socket.socket, order: bytes) -> tuple[int, socket.socket]:
    """A process that a zygote has forked, and this side of its socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(control, [order], [theirs.fileno()])
    report = decode(read_frame(control), Report)
    assert isinstance(report, Forked)
    return report.pid, ours


def test_without_their_parent_a_nested_zygote_ends_the_workers_that_it_has_whoever_of_them_hears_first(
    tmp_path: Path,
) -> None:
    mark, (control, theirs) = tmp_path / "mark", socket.socketpair()
    with theirs:
        first = subprocess.Popen(
            zygote_command(theirs.fileno()), pass_fds=[theirs.fileno()], env=zygote_environment({})
        )
    with first, control:
        say(control, Setup())
        read_frame(control)
        zygote, nested = forked(control, NEST)
        say(nested, Setup())
        read_frame(nested)
        worker, channel = forked(nested, FORK)
        for part in (Task("tests.runtime.sandbox.tasks:sleep", 2, TaskLimits()), 600.0, mark):
            say(channel, part)
        until(mark.exists)
        # A report that nobody reads: who closes a socket with one resets it, which is no end of file.
        ours, theirs = socket.socketpair()
        with ours, theirs:
            socket.send_fds(nested, [FORK], [theirs.fileno()])
            assert nested.recv(1, socket.MSG_PEEK)
        os.kill(zygote, signal.SIGSTOP)
        for end in (channel, nested, control):
            end.close()
        assert first.wait() == 0
        with suppress(ProcessLookupError):
            os.kill(zygote, signal.SIGCONT)
        until(lambda: not alive(worker) and not alive(zygote))


def test_where_there_can_be_no_more_processes_a_zygote_lives_on_with_those_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full() -> int:
        raise BlockingIOError

    monkeypatch.setattr(os, "fork", full)
    ours, theirs = socket.socketpair()
    with ours, theirs, Path(os.devnull).open() as some:
        socket.send_fds(ours, [NEST], [some.fileno()])
        ours.shutdown(socket.SHUT_WR)
        Zygote(theirs)._obey()
        assert decode(read_frame(ours), Report) == Forked(0)
