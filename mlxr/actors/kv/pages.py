"""Physical pages of one cache group: who holds them, which are kept only for reuse, which are free. Pure bookkeeping,
no page memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from mlxr.actors.kv.recent_prompts import EvictionLog

PASSED_SHARE = 4

GROWTH = 1.5
"""By how much a pool grows at least that takes memory in extents: what is there may have to be copied."""


class PagePool:
    """Reference-counted pages with content addresses.

    A page is *held* (one or more references), *cached* (none, but its content has an address) or *free*. Cached pages
    are evicted least recently used first, and *passed* ones before others, as long as there are more of them than one
    in ``PASSED_SHARE`` of all pages. Those a window has left behind and nobody has come for: a few suffice for others
    that begin alike, and many would drive out the pages at the ends of turns.

    Pages that were never given out cost nothing here, however many there are.

    total: the most pages that there can be.
    limit: how many there may be now.
    size: how many have memory; those are the first ones.
    """

    def __init__(self, pages: int, extent: int = 0, evictions: EvictionLog | None = None) -> None:
        """``extent``: as in ``GroupPages``. ``evictions``: where it notes what it evicts."""
        self._evictions = evictions
        self.total = self.limit = pages
        self.size = min(extent or pages, pages)
        self._extent = extent
        self._fresh = 0
        """Pages from here on were never given out, or not since they last had memory."""
        self._free: list[int] = []
        self._references: dict[int, int] = {}
        self._addresses: dict[int, list[bytes]] = {}
        self._by_address: dict[bytes, int] = {}
        self._filled: dict[int, int] = {}
        """How much of a page its addresses stand for: nothing below may be written over."""
        self._cached: OrderedDict[int, None] = OrderedDict()
        self._passed: OrderedDict[int, None] = OrderedDict()
        self._found: set[int] = set()
        """Pages that somebody came for while they had this content."""

    @property
    def held(self) -> int:
        return len(self._references)

    @property
    def cached(self) -> int:
        return len(self._cached) + len(self._passed)

    @property
    def available(self) -> int:
        """Pages that ``allocate`` can give."""
        return len(self._free) + self.limit - self._fresh + self.cached

    def allocate(self) -> int | None:
        """Returns a page with one reference and no content, evicting a cached one if none is free; None when all are
        held."""
        if self._free:
            page = self._free.pop()
        elif self._fresh < self.limit:
            page, self._fresh = self._fresh, self._fresh + 1
            if page >= self.size:
                self.size = min(self.limit, max(page + self._extent, int(self.size * GROWTH)))
        elif self._passed or self._cached:
            page = self._evict()
        else:
            return None
        self._references[page] = 1
        return page

    def adopt(self, contents: Mapping[int, tuple[bytes, int]]) -> None:
        """Takes pages for cached whose content has outlived the process that computed it: of each its address and how
        much of it that stands for, those used last the last. A pool that has given pages out takes none, since they
        may be among these."""
        if self._fresh or not contents:
            return
        adopted = {page: content for page, content in contents.items() if page < self.size}
        self._fresh = max(adopted, default=-1) + 1
        # Popped from the end: the first pages are given out first.
        self._free = [page for page in reversed(range(self._fresh)) if page not in adopted]
        for page, (address, filled) in adopted.items():
            self.publish(page, address, filled)
            if page in self._addresses:
                self._cached[page] = None
            else:
                self._free.append(page)  # Another has the same content.

    def resize(self, limit: int) -> list[tuple[int, int]]:
        """Lets there be no more than ``limit`` pages, at least those that are held and at most ``total``. Cached pages
        are evicted until the others fit, and those that lie behind the last page are moved: returns from where to where
        their content goes."""
        self.limit = max(min(limit, self.total), self.held)
        while self.held + self.cached > self.limit:
            self._free.append(self._evict())
        moved: dict[int, int] = {}
        if self._fresh > self.limit:
            free = sorted((page for page in self._free if page < self.limit), reverse=True)
            kept = [*self._references, *self._cached, *self._passed]
            moved = {page: free.pop() for page in sorted(page for page in kept if page >= self.limit)}
            self._move(moved)
            self._free, self._fresh = free, self.limit
        self.size = min(self.size, self.limit) if self._extent else self.limit
        return list(moved.items())

    def _move(self, moved: dict[int, int]) -> None:
        if not moved:
            return
        for old, new in moved.items():
            if old in self._references:
                self._references[new] = self._references.pop(old)
            if old in self._addresses:
                self._addresses[new], self._filled[new] = self._addresses.pop(old), self._filled.pop(old)
                self._by_address.update(dict.fromkeys(self._addresses[new], new))
        self._found = {moved.get(page, page) for page in self._found}
        self._cached = OrderedDict.fromkeys(moved.get(page, page) for page in self._cached)
        self._passed = OrderedDict.fromkeys(moved.get(page, page) for page in self._passed)

    def _evict(self) -> int:
        """Returns the cached page whose turn it is, without its content."""
        spared = self._cached and len(self._passed) * PASSED_SHARE <= self.limit
        page, _ = (self._cached if spared else self._passed or self._cached).popitem(last=False)
        if self._evictions is not None:
            for address in self._addresses.get(page, ()):
                self._evictions.note(address)
        self.unpublish(page)
        return page

    def __contains__(self, address: object) -> bool:
        return address in self._by_address

    def at(self, address: bytes) -> int | None:
        """Returns the page whose content has this address."""
        return self._by_address.get(address)

    def find(self, address: bytes) -> int | None:
        """Returns the page whose content has this address, with one more reference."""
        page = self._by_address.get(address)
        if page is not None:
            self.retain(page)
            self._found.add(page)
        return page

    def retain(self, page: int) -> None:
        references = self._references.get(page, 0)
        if not references:
            (self._passed if page in self._passed else self._cached).pop(page)
        self._references[page] = references + 1

    def release(self, page: int, *, passed: bool = False) -> None:
        """Gives one reference back. ``passed``: a window has left the page behind."""
        references = self._references.get(page, 0) - 1
        if references < 0:
            raise AssertionError(f"page {page} was released more often than held")
        if references:
            self._references[page] = references
        else:
            del self._references[page]
            if page in self._addresses:
                (self._passed if passed and page not in self._found else self._cached)[page] = None
            else:
                self._free.append(page)

    def is_held(self, page: int) -> bool:
        return page in self._references

    def shared(self, page: int) -> bool:
        return self._references.get(page, 0) > 1

    def writable(self, page: int, offset: int) -> bool:
        """Whether a page's only holder may write to it from ``offset`` on: nothing there can be found by others."""
        return self._references.get(page, 0) <= 1 and self._filled.get(page, 0) <= offset

    def publish(self, page: int, address: bytes, filled: int) -> None:
        """Makes the first ``filled`` places of a held page findable. Of two pages with the same content the first stays
        published."""
        if address not in self._by_address:
            self._by_address[address] = page
            self._addresses.setdefault(page, []).append(address)
            self._filled[page] = max(filled, self._filled.get(page, 0))

    def unpublish(self, page: int) -> None:
        """Makes a page's content unfindable, so that its only holder may write to it."""
        for address in self._addresses.pop(page, ()):
            del self._by_address[address]
        self._filled.pop(page, None)
        self._found.discard(page)
