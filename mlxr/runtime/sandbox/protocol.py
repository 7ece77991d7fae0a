"""What a sandbox and its processes say to each other: frames of MessagePack behind their lengths.

A task is a ``Task`` and one frame for each argument, an answer one ``Outcome``. Over the control socket the parent
sends one byte with the descriptor of a worker's socket (``FORK``) or of another zygote's control socket (``NEST``), or
one byte and the name of a function (``EXTEND``); the zygote reports each ``Forked``, ``Extended`` and ``Died``.
"""

from __future__ import annotations

import builtins
import importlib
import socket
from collections.abc import Callable
from functools import cache
from io import BufferedReader
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import ErrorInfo
from mlxr.runtime.sandbox.limits import TaskLimits

LENGTH_BYTES = 4
FORK = b"f"
NEST = b"n"
EXTEND = b"x"
PREPARE_LIMITS = TaskLimits(cpu_seconds=60, seconds=120, memory=8 << 30)


class SandboxKilled(MlxrError):  # noqa: N818  (reads as what happened)
    """A task that gave no result. ``reason``: "time" (of the processor), "memory", "crash" (a signal, or the process
    ended) or "error" (an exception that nobody foresaw), which say something of what the task looked at; "stalled" (its
    wall-clock time was up) or "killed" (by somebody else), which say nothing of it. The text is a phrase whose subject
    is what the task looked at."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def deserved(self) -> bool:
        """Whether the same task would end the same way again."""
        return self.reason not in ("stalled", "killed")


class Setup(Struct, frozen=True):
    """What a zygote prepares, under ``limits``: ``prepare`` (``module:function``; empty for nothing) with ``settings``
    as keywords, converted to the types of its parameters."""

    prepare: str = ""
    settings: dict[str, Any] = {}
    limits: TaskLimits = PREPARE_LIMITS


class Task(Struct, frozen=True, array_like=True):
    """``function`` (``module:function``) of so many ``arguments``, each in a frame of its own behind this one."""

    function: str
    arguments: int
    limits: TaskLimits


class Returned(Struct, frozen=True, array_like=True, tag=True):
    """The function's result. ``spent``: the worker holds much more memory than at its start, and is to be replaced."""

    value: msgspec.Raw
    spent: bool = False


class Raised(Struct, frozen=True, array_like=True, tag=True):
    """One of mlxr's own errors: its class, its text, and its attributes (paths as text, named in ``paths``)."""

    kind: str
    text: str
    attributes: dict[str, Any] = {}
    paths: list[str] = []
    info: ErrorInfo | None = None


class Broke(Struct, frozen=True, array_like=True, tag=True):
    """What ``SandboxKilled`` says, where the worker itself can say it."""

    reason: str
    text: str


Outcome = Returned | Raised | Broke


class Prepared(Struct, frozen=True, array_like=True, tag=True):
    """The zygote is ready to fork."""


class Extended(Struct, frozen=True, array_like=True, tag=True):
    """The zygote has called the function that it was told to call."""


class Forked(Struct, frozen=True, array_like=True, tag=True):
    """The worker or zygote that was asked for has come to life; 0: there can be no more zygotes for now."""

    pid: int


class Died(Struct, frozen=True, array_like=True, tag=True):
    """A worker or zygote has ended. ``status``: as ``os.wait`` gives it."""

    pid: int
    status: int


Report = Prepared | Extended | Forked | Died | Raised | Broke
"""What a zygote says to the parent."""


def function_of(name: str) -> Callable[..., Any]:
    """Returns the function that ``module:function`` names."""
    module, _, attribute = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def encode(value: Any) -> bytes:
    """Returns ``value`` as MessagePack; paths are text."""
    return _ENCODER.encode(value)


def decode(raw: bytes | memoryview | msgspec.Raw, type: Any) -> Any:
    return _decoder(type).decode(raw)


def convert(value: Any, type: Any) -> Any:
    """Returns a value that was decoded without a type, as ``type``."""
    return msgspec.convert(value, type, dec_hook=_text_as_path)


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def read_frame(source: socket.socket) -> bytes:
    """Returns one frame, by blocking. Raises ``EOFError`` when the other side is gone."""
    return _read(source, int.from_bytes(_read(source, LENGTH_BYTES), "big"))


def next_frame(source: BufferedReader) -> bytes:
    """Returns one frame as ``read_frame`` does, and reads ahead: no descriptors come with what is behind it."""
    return _next(source, int.from_bytes(_next(source, LENGTH_BYTES), "big"))


def raised(error: MlxrError) -> Raised:
    """Returns ``error`` for the other side. Attributes that are no plain values stay behind."""
    attributes = {key: value for key, value in vars(error).items() if isinstance(value, str | int | float | None)}
    paths = {key: str(value) for key, value in vars(error).items() if isinstance(value, Path)}
    kind = type(error)
    info = error.info if isinstance(error, RequestError) else None
    return Raised(f"{kind.__module__}:{kind.__qualname__}", str(error), {**attributes, **paths}, list(paths), info)


def failure_of(error: BaseException) -> Raised | Broke:
    """Returns what the other side is told of an exception, whatever it is: panics of native code are no
    ``Exception``."""
    match error:
        case MlxrError():
            return raised(error)
        case MemoryError():
            return Broke("memory", "takes too much memory")
        case RecursionError():
            return Broke("error", "is nested too deeply")
    return Broke("error", f"can't be worked on ({type(error).__name__}: {error})"[:500])


def error_of(outcome: Raised) -> MlxrError:
    """Returns the error that ``outcome`` stands for, as an instance of the class that was raised."""
    kind = function_of(outcome.kind)
    if not (isinstance(kind, builtins.type) and issubclass(kind, MlxrError)):
        return SandboxKilled("error", outcome.text)
    error = kind.__new__(kind, outcome.text)
    Exception.__init__(error, outcome.text)
    for key, value in outcome.attributes.items():
        setattr(error, key, Path(value) if key in outcome.paths else value)
    if isinstance(error, RequestError) and outcome.info is not None:
        error.info = outcome.info
    return error


def _read(source: socket.socket, size: int) -> bytes:
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        if not (count := source.recv_into(view)):
            raise EOFError
        view = view[count:]
    return bytes(buffer)


def _next(source: BufferedReader, size: int) -> bytes:
    found = source.read(size)
    if len(found) < size:
        raise EOFError
    return found


@cache
def _decoder(type: Any) -> msgspec.msgpack.Decoder[Any]:
    return msgspec.msgpack.Decoder(type, dec_hook=_text_as_path)


def _path_as_text(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"a sandbox can't carry {type(value).__name__}")


def _text_as_path(kind: type[Any], value: Any) -> Any:
    if kind is Path:
        return Path(value)
    raise NotImplementedError(f"a sandbox can't carry {kind.__name__}")


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_path_as_text)
