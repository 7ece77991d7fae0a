"""Compiles constraints on a thread of its own, so that the device's thread only ever copies what is compiled."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from mlxr.models.constraints import ConstraintError, Matcher, Vocabulary
from mlxr.runtime.messages.common import Constraint

T = TypeVar("T")

log = logging.getLogger("mlxr.executor")

STACK_BYTES = 64 << 20
"""What compiles recurses in native code. Constraints come here tried on a much smaller stack."""

NICE = 10
"""What the thread adds to its niceness: nobody's tokens wait while somebody's schema is compiled."""

REST_SECONDS = 2.0
"""After so long without a step an engine is taken to rest. What its first requests wait for is not held up then."""

POLL_SECONDS = 0.5

KEPT = 128
KEPT_BYTES = 2 << 20
"""Compiled constraints kept for reuse: how many, and how long their sources are together. A compiled schema takes about
a hundred times its source."""

Compiled = Matcher | ConstraintError
"""A matcher at its beginning, or why there is none."""


class CompiledCache:
    """Matchers by the constraint they are of, those used last; or why there is none. For any thread."""

    def __init__(self, most: int = KEPT, most_bytes: int = KEPT_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._matchers: OrderedDict[Constraint, Compiled] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, constraint: Constraint) -> Compiled | None:
        with self._lock:
            found = self._matchers.get(constraint)
            if found is not None:
                self._matchers.move_to_end(constraint)
            return found

    def put(self, constraint: Constraint, made: Compiled) -> None:
        with self._lock:
            if constraint in self._matchers:
                return
            self._matchers[constraint] = made
            self._bytes += len(constraint.source)
            while len(self._matchers) > self._most or (self._bytes > self._most_bytes and len(self._matchers) > 1):
                oldest, _ = self._matchers.popitem(last=False)
                self._bytes -= len(oldest.source)

    def __len__(self) -> int:
        return len(self._matchers)


class Compiler:
    """``vocabulary`` is made on the compiler's thread when the engine is ``resting`` for the first time, before the
    first constraint comes, for it holds the interpreter's lock as long as it takes: 0.1 s for 50,000 tokens, 0.9 s for
    262,000. Not with the load: who waits for that has mostly no constraint. What it raises is wrong with every
    constraint."""

    def __init__(
        self,
        vocabulary: Callable[[], Vocabulary],
        kept: CompiledCache | None = None,
        resting: Callable[[], bool] = lambda: True,
    ) -> None:
        self._make_vocabulary = vocabulary
        self._resting = resting
        self._wanted = threading.Event()
        """Somebody wants something, or the thread is to end."""
        self._ending = False
        self._kept = kept or CompiledCache()
        self._queue: queue.SimpleQueue[tuple[Constraint, Future[Compiled]] | None] = queue.SimpleQueue()

    def start(self) -> None:
        before = threading.stack_size(STACK_BYTES)
        try:
            threading.Thread(target=self._run, name="constraints", daemon=True).start()
        finally:
            threading.stack_size(before)

    def stop(self) -> None:
        self._ending = True
        self._queue.put(None)
        self._wanted.set()

    def compile(self, constraint: Constraint) -> Future[Compiled]:
        """Has ``constraint`` compiled, if it is not kept already."""
        made: Future[Compiled] = Future()
        if (found := self._kept.get(constraint)) is not None:
            made.set_result(found)
        else:
            self._queue.put((constraint, made))
            self._wanted.set()
        return made

    def matcher(self, constraint: Constraint) -> Matcher:
        """Returns a matcher at its beginning. Waits for the compiler where none is kept. Raises ``ConstraintError``."""
        made = self.compile(constraint).result()
        if isinstance(made, ConstraintError):
            raise made
        return made.copy()

    def _run(self) -> None:
        yield_to_others()
        self._wait_for_rest()
        if self._ending:
            return  # making it would hold the interpreter's lock, and whoever ends
        vocabulary = _made(self._make_vocabulary)
        while (asked := self._queue.get()) is not None:
            constraint, made = asked
            found = self._kept.get(constraint)
            if found is None:
                found = vocabulary if isinstance(vocabulary, ConstraintError) else _compiled(vocabulary, constraint)
                self._kept.put(constraint, found)
            made.set_result(found)

    def _wait_for_rest(self) -> None:
        """Returns when the engine rests, or somebody wants something."""
        while not self._resting() and not self._wanted.wait(POLL_SECONDS):
            pass


def yield_to_others() -> None:
    """Makes the thread nicer. Linux schedules threads by their own niceness; elsewhere it is the whole process's, and
    is left alone."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, min(19, os.getpriority(os.PRIO_PROCESS, thread) + NICE))


def _compiled(vocabulary: Vocabulary, constraint: Constraint) -> Compiled:
    return _made(lambda: Matcher(vocabulary, constraint))


def _made(make: Callable[[], T]) -> T | ConstraintError:
    """Returns what ``make`` gives. A panic of a native library is no ``Exception``, and no reason to end the thread."""
    try:
        return make()
    except ConstraintError as error:
        return error
    except BaseException:
        log.exception("a constraint could not be compiled")
        return ConstraintError("it can't be compiled")
