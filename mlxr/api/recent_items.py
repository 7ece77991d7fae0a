"""What answers were made of, kept for a while, so that a client may name it in its next request."""

from __future__ import annotations

from collections import OrderedDict

MOST_BYTES = 16 << 20
"""Of all items together; the latest are kept."""


class RecentItems:
    """Keeps the latest items by their ids. What one client's answers were made of no other client can have."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._items: OrderedDict[tuple[str | None, str], bytes] = OrderedDict()
        self._bytes = 0

    def put(self, client: str | None, id: str, item: bytes) -> None:
        """Keeps ``item`` of an answer to ``client`` instead of the oldest; one that is larger than a half of all that
        is kept is not."""
        if 2 * len(item) > self._most:
            return
        self._bytes += len(item) - len(self._items.pop((client, id), b""))
        self._items[client, id] = item
        while self._bytes > self._most:
            self._bytes -= len(self._items.popitem(last=False)[1])

    def get(self, client: str | None, id: str) -> bytes | None:
        """Returns the item, None where it is not kept, or is not that client's."""
        return self._items.get((client, id))
