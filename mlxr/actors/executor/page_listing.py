"""What an executor tells the KV manager of the folder with pages: segments that it can use, as they come, and pages of
other engines, which only explain misses."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import msgspec
from msgspec import Struct

from mlxr.actors.kv.disk.folder import SegmentFolder
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.kv import OtherPagesFound, SegmentsFound, StoredSegment

log = logging.getLogger("mlxr.executor")

TICK_NS = 2_000_000_000
"""What times of change are counted in at most."""

FOUND_AT_ONCE = 4096
"""Pages that one message names, about: it is decoded on the main process's loop."""

MOST_OTHERS = 1 << 15
"""Pages of other engines that are looked at."""


class About(Struct, frozen=True):
    """What is said of a folder's pages: their ``contents``, as in ``ExecutorReady``, and tokens from one address to the
    next."""

    contents: list[str]
    block: int


class PageListing:
    """Owns which segments the KV manager has been told of. ``page_bytes``: of each cache group. ``answer``: tells it
    something. ``complain``: told why something can't be found."""

    def __init__(
        self,
        folder: SegmentFolder,
        page_bytes: Sequence[int],
        epoch: int,
        answer: Callable[[Message], None],
        complain: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._page_bytes = page_bytes
        self._epoch = epoch
        self._answer = answer
        self._complain = complain
        self._known: set[str] | None = None
        self._changed = 0

    @property
    def asked(self) -> bool:
        """Whether the KV manager wants to be told."""
        return self._known is not None

    def describe(self) -> None:
        """Tells of all that lies there."""
        self._known, changed = set(), self._folder.changed
        self._tell(last=True)
        self._changed = _told_up_to(changed)
        self._describe_others()

    def look(self) -> None:
        """Tells of what other engines have stored and deleted meanwhile."""
        changed = self._folder.changed
        if self._known is not None and changed != self._changed:
            self._tell()
            self._changed = _told_up_to(changed)

    def wrote(self, name: str) -> None:
        """A segment that the KV manager has named itself. On any thread."""
        if self._known is not None:
            self._known.add(name)

    def _tell(self, *, last: bool = False) -> None:
        assert self._known is not None
        found: list[StoredSegment] = []
        gone: list[str] = []
        pages = 0
        try:
            gone = self._gone()
            for name, segment in self._folder.segments(self._known):
                self._known.add(name)
                if segment.group < len(self._page_bytes) and segment.page_bytes == self._page_bytes[segment.group]:
                    found.append(StoredSegment(name, segment.group, list(segment.pages)))
                    pages += len(segment.pages)
                if pages >= FOUND_AT_ONCE:
                    self._answer(SegmentsFound(self._epoch, found))
                    found, pages = [], 0
        except Exception as error:  # whatever it is, somebody waits for the last of them
            self._complain(f"not all pages in {self._folder.root} can be found: {error}")
        self._complain_of_unsound()
        if found or gone or last:
            self._answer(SegmentsFound(self._epoch, found, last, gone))

    def _complain_of_unsound(self) -> None:
        wrong, self._folder.unsound = self._folder.unsound, []
        if wrong:
            these, root = "a file" if len(wrong) == 1 else f"{len(wrong)} files", self._folder.root
            log.warning(
                "deleted %s with pages in %s: the first %s; what they held is computed again", these, root, wrong[0]
            )

    def _gone(self) -> list[str]:
        """Returns which of those that were told of are not there any more, and forgets them."""
        assert self._known is not None
        known = frozenset(self._known)  # before it is looked: what is written meanwhile is not gone
        gone = known - self._folder.names()
        self._known -= gone
        return sorted(gone)

    def _describe_others(self) -> None:
        try:
            for about, addresses in self._folder.others(MOST_OTHERS):
                with suppress(ValueError):
                    other = msgspec.json.decode(about, type=About)
                    self._answer(OtherPagesFound(self._epoch, other.contents, other.block, addresses))
        except Exception as error:
            log.info("pages of other engines in %s can't be looked at: %s", self._folder.root, error)


def _told_up_to(changed: int) -> int:
    """Returns the time of change of which there is nothing left to tell: -1 where more may come with the same time."""
    return changed if time.time_ns() - changed > TICK_NS else -1
