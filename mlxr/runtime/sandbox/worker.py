"""A worker process of a sandbox: runs tasks one by one, each on a thread with a small stack."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from functools import cache
from inspect import Parameter, signature
from typing import Any, NoReturn, get_type_hints

import msgspec

from mlxr.runtime.errors import MlxrError
from mlxr.runtime.sandbox.limits import STACK_BYTES, address_space, hold_to, let_go, never_dump_core
from mlxr.runtime.sandbox.protocol import (
    Broke,
    Outcome,
    Returned,
    Task,
    decode,
    encode,
    frame,
    function_of,
    raised,
    read_frame,
)

SPENT_SHARE = 0.25
"""Of the memory limit that a worker may keep after a task; with more of it, it is replaced."""


def serve(channel: socket.socket) -> NoReturn:
    """Run tasks from ``channel`` until its other end is closed; the process ends then."""
    never_dump_core()
    _mute()
    threading.stack_size(STACK_BYTES)
    base, niceness = address_space(), 0
    status = 0
    try:
        while True:
            task = decode(read_frame(channel), Task)
            arguments = [read_frame(channel) for _ in range(task.arguments)]
            if task.limits.nice > niceness:
                niceness = os.nice(task.limits.nice - niceness)
            hold_to(task.limits, base)
            outcome = _on_small_stack(task.function, arguments)
            let_go()
            if isinstance(outcome, Returned) and address_space() > base + SPENT_SHARE * task.limits.memory:
                outcome = msgspec.structs.replace(outcome, spent=True)
            channel.sendall(frame(encode(outcome)))
    except (EOFError, OSError):
        pass
    except BaseException:
        status = 1
    os._exit(status)


def _on_small_stack(function: str, arguments: list[bytes]) -> Outcome:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(_run(function, arguments)), daemon=True)
    thread.start()
    thread.join()
    return outcomes[0] if outcomes else Broke("error", "ended the thread that looked at it")


def _run(function: str, arguments: list[bytes]) -> Outcome:
    """The outcome of ``function``. Every exception is caught, panics of native code (BaseException) among them."""
    try:
        called, types = _function(function)
        result = called(
            *(decode(raw, kind) for raw, kind in zip(arguments, _spread(types, len(arguments)), strict=True))
        )
        return Returned(msgspec.Raw(encode(result)))
    except MlxrError as error:
        return raised(error)
    except MemoryError:
        return Broke("memory", "takes too much memory")
    except RecursionError:
        return Broke("error", "is nested too deeply")
    except BaseException as error:
        return Broke("error", f"can't be worked on ({type(error).__name__}: {error})"[:500])


@cache
def _function(name: str) -> tuple[Callable[..., Any], list[Any]]:
    """The function, and the type of each of its parameters; the last one stands for all that follow if it takes any
    number (None behind it says that it does not)."""
    called = function_of(name)
    hints = get_type_hints(called)
    parameters = signature(called).parameters.values()
    several = any(parameter.kind is Parameter.VAR_POSITIONAL for parameter in parameters)
    types = [hints.get(parameter.name, Any) for parameter in parameters]
    return called, types if several else [*types, None]


def _spread(types: list[Any], count: int) -> list[Any]:
    own, rest = types[:-1], types[-1]
    return (own + [rest] * (count - len(own)))[:count] if rest is not None else own[:count]


def _mute() -> None:
    """Native code that panics writes what it was given to standard error, which is the server's log."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
