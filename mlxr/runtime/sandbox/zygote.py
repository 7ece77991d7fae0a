"""The process that a sandbox's workers are forked from: ``python -m mlxr.runtime.sandbox.zygote DESCRIPTOR``.

The descriptor is the control socket, over which its ``Setup`` comes first. It has one thread, so that a fork copies
nothing half done, and it never looks at what strangers wrote, but for what it prepares. When the parent is gone it ends
its workers and itself; zygotes that it has forked have the same parent, and do so themselves.

Each is a session of its own: Linux shares a CPU between sessions first (sched_autogroup, sched(7)), and in one with a
zygote that loads a vocabulary the server's loop would wait for its turn.
"""

from __future__ import annotations

# ruff: noqa: E402  (imports are paced from the first on)
import gc

from mlxr.runtime import pacing

# Garbage is collected where something was prepared, and in workers.
gc.disable()
_starting = pacing.starting()
_starting.__enter__()

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, get_type_hints

from mlxr.runtime.sandbox.limits import address_space, hold_to, let_go
from mlxr.runtime.sandbox.protocol import (
    EXTEND,
    FORK,
    NEST,
    PREPARE_LIMITS,
    Died,
    Extended,
    Forked,
    Prepared,
    Report,
    Setup,
    convert,
    decode,
    encode,
    failure_of,
    frame,
    function_of,
    read_frame,
)
from mlxr.runtime.sandbox.worker import serve

_starting.__exit__(None, None, None)

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
"""What a terminal or a service manager sends to the whole process group: the parent decides what it means."""


class Zygote:
    """Forks workers and further zygotes on request and reports their ends."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._children: dict[int, bytes] = {}
        """By their process ids, with the orders that they were forked for."""
        self._limits = PREPARE_LIMITS

    def run(self) -> None:
        """Prepares, then forks until the parent is gone."""
        setup = decode(read_frame(self._control), Setup)
        self._limits = setup.limits
        self._report(self._call(setup.prepare, setup.settings, Prepared()))
        signal.signal(signal.SIGCHLD, self._reap)
        try:
            self._obey()
        finally:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for pid, order in self._children.items():
                if order == FORK:  # a zygote has workers to end before itself
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)

    def _obey(self) -> None:
        """Does what it is told. Raises ``OSError`` instead where the parent has ended with reports unread."""
        while True:
            order, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
            if order == FORK:
                self._fork(order, self._become_worker, descriptors[0])
            elif order == NEST:
                self._fork(order, self._become_zygote, descriptors[0])
            elif order == EXTEND:
                self._report(self._call(decode(read_frame(self._control), str), {}, Extended()))
            else:
                return

    def _call(self, function: str, settings: dict[str, Any], done: Report) -> Report:
        """``done``, once ``function`` was called, if there is one, and what it left has been set apart from what the
        garbage collector looks through, and so writes to."""
        hold_to(self._limits, address_space())
        try:
            if function:
                with pacing.starting():
                    called = function_of(function)
                    types = get_type_hints(called)
                    called(**{key: convert(value, types.get(key, Any)) for key, value in settings.items()})
                    # Behind a vocabulary of 262,000 tokens that takes 50 ms, which are part of the turn.
                    gc.collect()
        except BaseException as error:
            return failure_of(error)
        finally:
            let_go()
        gc.freeze()
        return done

    def _fork(self, order: bytes, become: Callable[[socket.socket], NoReturn], descriptor: int) -> None:
        # A child that ends at once must not be reaped before it is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        try:
            pid = os.fork()
        except OSError:  # too many processes, or too little memory, for now
            if order == FORK:
                raise
            os.close(descriptor)
            self._report(Forked(0))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            return
        if not pid:
            self._children.clear()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            self._control.close()
            become(socket.socket(fileno=descriptor))
        os.close(descriptor)
        self._children[pid] = order
        self._report(Forked(pid))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})

    def _become_worker(self, channel: socket.socket) -> NoReturn:
        gc.enable()
        serve(channel)

    def _become_zygote(self, control: socket.socket) -> NoReturn:
        os.setsid()
        run(control)

    def _reap(self, number: int, stack: FrameType | None) -> None:
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._children.pop(pid, None)
            with contextlib.suppress(OSError):
                self._report(Died(pid, status))

    def _report(self, report: Report) -> None:
        self._control.sendall(frame(encode(report)))


def run(control: socket.socket) -> NoReturn:
    """Is a zygote until the parent is gone; the process ends then, and never goes on as what it was forked from."""
    try:
        with contextlib.suppress(EOFError, OSError):
            Zygote(control).run()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    run(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
