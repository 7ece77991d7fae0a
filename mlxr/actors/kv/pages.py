"""Physical pages: who holds them, which are kept only for reuse, which are free. Pure bookkeeping, no page memory."""

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
        self._address: dict[int, bytes] = {}
        self._by_address: dict[bytes, int] = {}
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
        """A page with one reference and no content, evicting a cached one if none is free; None when all are held."""
        if self._free:
            page = self._free.pop()
        elif self._cached:
            page, _ = self._cached.popitem(last=False)
            del self._by_address[self._address.pop(page)]
        else:
            return None
        self._references[page] = 1
        return page

    def find(self, address: bytes) -> int | None:
        """The page whose content has this address, with one more reference."""
        page = self._by_address.get(address)
        if page is not None:
            self.retain(page)
        return page

    def retain(self, page: int) -> None:
        if not self._references[page]:
            self._cached.pop(page)
        self._references[page] += 1

    def release(self, page: int) -> None:
        """Give one reference back."""
        self._references[page] -= 1
        if self._references[page] < 0:
            raise AssertionError(f"page {page} was released more often than held")
        if self._references[page] == 0:
            if page in self._address:
                self._cached[page] = None
            else:
                self._free.append(page)

    def shared(self, page: int) -> bool:
        return self._references[page] > 1

    def publish(self, page: int, address: bytes) -> None:
        """Make a held page's content findable. Of two pages with the same content the first stays published."""
        if address not in self._by_address and page not in self._address:
            self._by_address[address] = page
            self._address[page] = address
