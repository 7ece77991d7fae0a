"""What the tests of the sandbox run in it."""

from __future__ import annotations

import ctypes
import fcntl
import gc
import os
import signal
import time
from pathlib import Path

from mlxr.models.errors import ModelFileError
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

prepared: dict[str, object] = {}


def prepare(word: str, path: Path) -> None:
    prepared.update(word=word, path=path)


def prepare_and_watch(lock: Path) -> None:
    """Has ``collected_in_turn`` know whether garbage was collected while this process had the turn."""

    def watch(phase: str, info: dict[str, int]) -> None:
        with lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                prepared["in turn"] = False
            except BlockingIOError:
                prepared.setdefault("in turn", True)

    gc.callbacks.append(watch)


def collected_in_turn() -> bool:
    gc.callbacks.clear()
    return prepared["in turn"] is True


def refuse(path: Path) -> None:
    raise ModelFileError(path, "is no model", 3)


def crash(word: str = "") -> None:
    ctypes.string_at(0)


def learn() -> None:
    prepared["lessons"] = learned() + 1


def learned() -> int:
    return int(str(prepared.get("lessons", 0)))


def what_was_prepared() -> list[str]:
    return [str(prepared["word"]), str(prepared["path"])]


def joined(first: str, *rest: str) -> str:
    return first + "".join(rest)


def process() -> int:
    return os.getpid()


def niceness() -> int:
    return os.nice(0)


def sleep(seconds: float, mark: Path) -> None:
    mark.write_text("begun")
    time.sleep(seconds)
    mark.write_text("done")


def end_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def spin() -> None:
    while True:
        pass


def swell(gigabytes: int) -> int:
    return len(bytearray(gigabytes << 30))


def keep(megabytes: int) -> int:
    prepared["kept"] = os.urandom(megabytes << 20)
    return os.getpid()


def recurse(depth: int) -> int:
    """Overflows the native stack long before Python's own limit would tell."""
    import sys

    sys.setrecursionlimit(1 << 30)
    return repr(_nested(depth)).count("[")


def _nested(depth: int) -> list[object]:
    nested: list[object] = []
    for _ in range(depth):
        nested = [nested]
    return nested


def request_error() -> None:
    raise RequestError(ErrorInfo(ErrorCode.UNSUPPORTED, "not so", "field", 2.5))


def unforeseen() -> None:
    raise KeyError("nobody")


class Panic(BaseException):
    pass


def panic() -> None:
    raise Panic("at the disco")
