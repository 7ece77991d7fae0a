"""Pages between the pool and host memory: copied on the device's thread, between steps, in slices."""

from __future__ import annotations

import logging
import mmap
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.page_files import PageFiles, Read
from mlxr.metal.backend import Backend
from mlxr.metal.pool import Pool
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.executor import RestorePages, Step, StorePages
from mlxr.runtime.messages.kv import PagesRestored, PagesTaken
from mlxr.runtime.messages.scheduler import StepDone

log = logging.getLogger("mlxr.executor")

SLICE_BYTES = 4 << 20
"""Copied in one go while steps run: a millisecond, which the next step's tokens may have to wait."""

PREFILL_ROW = 32
"""Tokens of a row from which on its step says how fast prompts are computed."""

WEIGHT = 0.3


@dataclass(slots=True)
class _Taking:
    """Pages on their way out. ``behind``: the step after which they are as they are to be; None for at once.
    ``copied``: how many of them are."""

    command: StorePages
    behind: int | None
    content: NDArray[np.uint8]
    copied: int = 0


class PageTransfers:
    """Owns what is copied between the pool and host memory. All methods belong to the device's thread.

    A command is about the pool as it is once the steps that came before have run: pages that go out are complete then,
    and pages that are read into have no other use by then. After ``close`` commands are dropped until ``open``.

    ``pool``: the pool that there is. ``tell``: tells the KV manager something. ``touch``: hears which pages of a group
    are about to be written. ``provide``: has these pages have memory; raises ``OSError`` where there is none.
    """

    def __init__(
        self,
        backend: Backend,
        pool: Callable[[], Pool],
        files: PageFiles,
        tell: Callable[[Message], None],
        touch: Callable[[int, Sequence[int]], None] = lambda group, pages: None,
        provide: Callable[[int, Sequence[int]], None] = lambda group, pages: None,
    ) -> None:
        self._backend = backend
        self._pool = pool
        self._files = files
        self._tell = tell
        self._touch = touch
        self._provide = provide
        self._taking: deque[_Taking] = deque()
        self._expected: dict[int, int | None] = {}
        """Batches that are read, each with the step behind which its pages may be written."""
        self._read: Read | None = None
        self._closed = False
        self._prefill_rate = 0.0
        self._written = 0.0
        """When pages that were read were there last."""

    def close(self) -> None:
        """The pool is another one: what was asked for is void."""
        self._forget()
        self._closed = True

    def open(self, *, describe: bool = False) -> None:
        """What was asked for is void, and what is asked for from now on is about the pool that there is. ``describe``:
        the KV manager is told what lies on disk."""
        self._forget()
        self._closed = False
        if describe:
            self._files.describe()

    def store(self, command: StorePages, behind: int | None) -> None:
        """``behind``: the last step launched; None where it has been collected."""
        if not self._closed:
            size = self._backend.page_bytes(self._pool(), command.group)
            try:
                content = staging(len(command.pages), size)
            except OSError as error:
                log.info("pages of conversations are not kept: %s", error)
                self._files.refuse(command)
                self._tell(PagesTaken(command.batch))
            else:
                self._taking.append(_Taking(command, behind, content))

    def restore(self, command: RestorePages, behind: int | None) -> None:
        if not self._closed:
            self._expected[command.batch] = behind
            self._files.read(command)
            self._touch(command.group, command.pages)

    def cancel(self, batch: int) -> None:
        """Answers also for what ``close`` has dropped: whoever asks waits for that."""
        self._expected.pop(batch, None)
        self._tell(PagesRestored(batch, [], cancelled=True))

    @property
    def reading(self) -> bool:
        """Whether somebody waits for pages."""
        return bool(self._expected)

    def seconds_of(self, step: Step) -> float:
        """Returns how long the device computes at the prompts of a step, as far as known."""
        tokens = sum(row.length for row in step.rows if row.length >= PREFILL_ROW)
        return tokens / self._prefill_rate if self._prefill_rate else 0.0

    def note(self, step: Step, done: StepDone) -> None:
        """A step was collected."""
        tokens = sum(row.length for row in step.rows if row.length >= PREFILL_ROW)
        if tokens and done.device_ns:
            rate = tokens / (done.device_ns / 1e9)
            self._prefill_rate = (
                rate if not self._prefill_rate else self._prefill_rate + WEIGHT * (rate - self._prefill_rate)
            )

    def advance(self, running: int | None) -> bool:
        """Copies a slice; tells whether there is more that can be copied now. ``running``: the step that is still to
        be collected, if any."""
        return self._write_read(running) or self._take(running)

    # Out.

    def _take(self, running: int | None) -> bool:
        if not self._taking or _waits(self._taking[0].behind, running):
            return False
        taking = self._taking[0]
        count = max(1, SLICE_BYTES // max(1, taking.content.shape[1]))
        part = slice(taking.copied, taking.copied + count)
        command = taking.command
        self._backend.read_pages(self._pool(), command.group, command.pages[part], taking.content[part])
        taking.copied += count
        if taking.copied >= len(command.pages):
            self._taking.popleft()
            # Before the pages may change: from now on they are found where they are on their way.
            self._files.write(command, taking.content)
            self._tell(PagesTaken(command.batch))
        return bool(self._taking)

    # In.

    def _write_read(self, running: int | None) -> bool:
        read = self._read or self._files.done()
        if read is None:
            return False
        self._read = read
        batch = read.command.batch
        if batch in self._expected:
            if _waits(self._expected[batch], running):
                return False
            del self._expected[batch]
            self._write(read)
        self._files.free(read)
        self._read = None
        return True

    def _write(self, read: Read) -> None:
        command, good = read.command, [index for index, is_good in enumerate(read.good) if is_good]
        pages = [command.pages[index] for index in good]
        try:
            self._provide(command.group, pages)
        except OSError:
            good, read.good = [], [False] * len(read.good)  # They are computed, as if they had not been there.
        if good:
            content = read.content
            if len(good) < len(command.pages):
                content = content[good]
            self._backend.write_pages(self._pool(), command.group, pages, content)
            self._files.written(read)
        # Several are on their way at once: each took from when the one before was there.
        now, size = time.monotonic(), read.content.nbytes if read.good else 0
        seconds, self._written = now - max(read.began, self._written), now
        self._tell(PagesRestored(command.batch, read.good, size, seconds, self._prefill_rate))

    def _forget(self) -> None:
        self._taking.clear()
        self._expected.clear()


def staging(pages: int, page_bytes: int) -> NDArray[np.uint8]:
    """Returns memory for pages, uint8 ``[pages, bytes]``, which goes back to the system with the last that looks at it.
    The C library would keep what it has had of such sizes, some segments of 16 MB. It is the process's own: shared
    memory, which ``mmap`` gives by default, is a file of the system's without a name, and has no huge pages. Raises
    ``OSError`` where there is none."""
    memory = mmap.mmap(-1, pages * page_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANON)
    return np.frombuffer(memory, np.uint8).reshape(pages, page_bytes)


def _waits(behind: int | None, running: int | None) -> bool:
    """Whether the step ``behind`` which something happens may still run."""
    return behind is not None and running is not None and running <= behind
