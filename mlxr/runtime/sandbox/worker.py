"""A worker process of a sandbox: runs tasks one by one, on a thread with a small stack."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from functools import cache
from inspect import Parameter, signature
from typing import Any, NoReturn, get_type_hints

import msgspec

from mlxr.runtime.sandbox.limits import STACK_BYTES, address_space, hold_to, let_go, never_dump_core
from mlxr.runtime.sandbox.protocol import (
    Outcome,
    Returned,
    Task,
    decode,
    encode,
    failure_of,
    frame,
    function_of,
    next_frame,
)

SPENT_SHARE = 0.25
"""Of the memory limit that a worker may keep after a task; with more of it, it is replaced."""


def serve(channel: socket.socket) -> NoReturn:
    """Runs tasks from ``channel`` until its other end is closed; the process ends then."""
    never_dump_core()
    _mute()
    threading.stack_size(STACK_BYTES)
    tasks = threading.Thread(target=_run_tasks, args=(channel,), daemon=True)
    tasks.start()
    tasks.join()
    os._exit(1)  # A task has ended the thread.


def _run_tasks(channel: socket.socket) -> NoReturn:
    base, niceness = address_space(), 0
    status = 0
    source = channel.makefile("rb")
    try:
        while True:
            task = decode(next_frame(source), Task)
            arguments = [next_frame(source) for _ in range(task.arguments)]
            if task.limits.nice > niceness:
                niceness = os.nice(task.limits.nice - niceness)
            hold_to(task.limits, base)
            outcome = _run(task.function, arguments)
            let_go()
            if isinstance(outcome, Returned) and address_space() > base + SPENT_SHARE * task.limits.memory:
                outcome = msgspec.structs.replace(outcome, spent=True)
            channel.sendall(frame(encode(outcome)))
    except (EOFError, OSError):
        pass
    except BaseException:
        status = 1
    os._exit(status)


def _run(function: str, arguments: list[bytes]) -> Outcome:
    """Returns the outcome of ``function``, whatever it raises."""
    try:
        called, types, rest = _function(function)
        kinds = (types + [rest] * (len(arguments) - len(types)))[: len(arguments)]
        result = called(*(decode(raw, kind) for raw, kind in zip(arguments, kinds, strict=True)))
        return Returned(msgspec.Raw(encode(result)))
    except BaseException as error:
        return failure_of(error)


@cache
def _function(name: str) -> tuple[Callable[..., Any], list[Any], Any]:
    """Returns the function, the types of its parameters, and the type of each of those that may follow in any
    number."""
    called = function_of(name)
    hints = get_type_hints(called)
    parameters = signature(called).parameters.values()
    types = [hints.get(each.name, Any) for each in parameters if each.kind is not Parameter.VAR_POSITIONAL]
    rest = (hints.get(each.name, Any) for each in parameters if each.kind is Parameter.VAR_POSITIONAL)
    return called, types, next(rest, Any)


def _mute() -> None:
    """Native code that panics writes what it was given to standard error, which is the server's log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
