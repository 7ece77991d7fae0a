"""Physical pages of one cache group: who holds them, which are kept only for reuse, which are free. Pure bookkeeping,
no page memory."""

from __future__ import annotations

from collections import OrderedDict

PASSED_SHARE = 4


class PagePool:
    """Reference-counted pages with content addresses.

    A page is *held* (one or more references), *cached* (none, but its content has an address) or *free*. Cached pages
    are evicted least recently used first, and *passed* ones before others, as long as there are more of them than one
    in ``PASSED_SHARE`` of all pages. Those a window has left behind and nobody has come for: a few suffice for others
    that begin alike, and many would drive out the pages at the ends of turns.
    """

    def __init__(self, pages: int) -> None:
        self.total = pages
        self._free = list(range(pages - 1, -1, -1))
        self._references = [0] * pages
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
        return self.total - self.available

    @property
    def cached(self) -> int:
        return len(self._cached) + len(self._passed)

    @property
    def available(self) -> int:
        """Pages that ``allocate`` can give."""
        return len(self._free) + self.cached

    def allocate(self) -> int | None:
        """Returns a page with one reference and no content, evicting a cached one if none is free; None when all are
        held."""
        if self._free:
            page = self._free.pop()
        elif self._passed or self._cached:
            spared = self._cached and len(self._passed) * PASSED_SHARE <= self.total
            page, _ = (self._cached if spared else self._passed).popitem(last=False)
            self.unpublish(page)
        else:
            return None
        self._references[page] = 1
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
        if not self._references[page]:
            (self._passed if page in self._passed else self._cached).pop(page)
        self._references[page] += 1

    def release(self, page: int, *, passed: bool = False) -> None:
        """Gives one reference back. ``passed``: a window has left the page behind."""
        self._references[page] -= 1
        if self._references[page] < 0:
            raise AssertionError(f"page {page} was released more often than held")
        if self._references[page] == 0:
            if page in self._addresses:
                (self._passed if passed and page not in self._found else self._cached)[page] = None
            else:
                self._free.append(page)

    def is_held(self, page: int) -> bool:
        return self._references[page] > 0

    def shared(self, page: int) -> bool:
        return self._references[page] > 1

    def writable(self, page: int, offset: int) -> bool:
        """Whether a page's only holder may write to it from ``offset`` on: nothing there can be found by others."""
        return self._references[page] <= 1 and self._filled.get(page, 0) <= offset

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
