"""Items that a request names and does not send: the AI SDK does so with those of answers that it believes stored."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from mlxr.api.errors import invalid, unsupported
from mlxr.api.recent_items import RecentItems
from mlxr.http.responses.schema import InputFields, Item

REFERENCE = "item_reference"

B = TypeVar("B", bound=InputFields)

_read = msgspec.json.Decoder(Item)


class ClientItems:
    """One client's items among those that are kept."""

    def __init__(self, recent: RecentItems, client: str | None) -> None:
        self._recent, self._client = recent, client

    def keep(self, output: list[dict[str, Any]]) -> None:
        """Keeps the items of an answer's output."""
        for item in output:
            self._recent.put(self._client, item["id"], msgspec.json.encode(item))

    def find(self, item: Item, place: str) -> Item:
        """Returns the item that ``item``, at ``place`` of a request, refers to. Raises ``RequestError`` where it is not
        kept."""
        if not item.id:
            raise invalid(f"`{place}.id` is missing", f"{place}.id")
        raw = self._recent.get(self._client, item.id)
        if raw is None:
            reason = f"no item {item.id!r} is kept here; send the item itself, as with `store`: false"
            raise unsupported(f"{place}.id", reason)
        return _read.decode(raw)


def with_items(body: B, items: ClientItems) -> B:
    """Returns ``body`` with the items that it refers to. Raises ``RequestError`` naming one that is not kept."""
    if isinstance(body.input, str) or not any(item.type == REFERENCE for item in body.input):
        return body
    found = [
        items.find(item, f"input[{index}]") if item.type == REFERENCE else item for index, item in enumerate(body.input)
    ]
    return replace(body, input=found)
