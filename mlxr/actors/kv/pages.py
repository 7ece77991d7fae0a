"""Physical pages of one cache group: who holds them, which are kept only for reuse, which are free. Pure bookkeeping,
no page memory."""

from __future__ import annotations

from collections import OrderedDict


class PagePool:
    """Reference-counted pages with content addresses.

    A page is *held* (one or more references), *cached* (none, but its content has an address; evicted least recently
    used first) or *free*.
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

    @property
    def held(self) -> int:
        return self.total - len(self._free) - len(self._cached)

    @property
    def cached(self) -> int:
        return len(self._cached)

    @property
    def available(self) -> int:
        """Pages that ``allocate`` can give."""
        return len(self._free) + len(self._cached)

    def allocate(self) -> int | None:
        """Returns a page with one reference and no content, evicting a cached one if none is free; None when all are
        held."""
        if self._free:
            page = self._free.pop()
        elif self._cached:
            page, _ = self._cached.popitem(last=False)
            self.unpublish(page)
        else:
            return None
        self._references[page] = 1
        return page

    def __contains__(self, address: bytes) -> bool:
        return address in self._by_address

    def find(self, address: bytes) -> int | None:
        """Returns the page whose content has this address, with one more reference."""
        page = self._by_address.get(address)
        if page is not None:
            self.retain(page)
        return page

    def retain(self, page: int) -> None:
        if not self._references[page]:
            self._cached.pop(page)
        self._references[page] += 1

    def release(self, page: int) -> None:
        """Gives one reference back."""
        self._references[page] -= 1
        if self._references[page] < 0:
            raise AssertionError(f"page {page} was released more often than held")
        if self._references[page] == 0:
            if page in self._addresses:
                self._cached[page] = None
            else:
                self._free.append(page)

    def shared(self, page: int) -> bool:
        return self._references[page] > 1

    def writable(self, page: int, offset: int) -> bool:
        """Whether a page's only holder may write to it from ``offset`` on: nothing there can be found by others."""
        return not self.shared(page) and self._filled.get(page, 0) <= offset

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
