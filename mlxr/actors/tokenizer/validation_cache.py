"""Results of validating what strangers sent, by its content, so that the same content is validated once."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorInfo

V = TypeVar("V")

KEPT = 4096
KEPT_BYTES = 16 << 20
"""Results kept, those used last, and the bytes that they may take together."""


class ValidationCache(Generic[V]):
    """Keeps the results used last: what something good was made into, or what the sender of something bad is told."""

    def __init__(self, kept: int = KEPT, kept_bytes: int = KEPT_BYTES) -> None:
        self._limits = kept, kept_bytes
        self._known: OrderedDict[bytes, tuple[V | ErrorInfo, int]] = OrderedDict()
        self._bytes = 0

    def __contains__(self, content: bytes) -> bool:
        return content in self._known

    def add(self, content: bytes, result: V | ErrorInfo, size: int = 0) -> None:
        """``size``: bytes that ``result`` takes."""
        self._bytes += size - self._known.pop(content, (None, 0))[1]
        self._known[content] = result, size
        kept, kept_bytes = self._limits
        while len(self._known) > kept or (self._bytes > kept_bytes and len(self._known) > 1):
            self._bytes -= self._known.popitem(last=False)[1][1]

    def get(self, content: bytes) -> V:
        """Returns what became of that content. Raises ``RequestError`` if it is bad, ``KeyError`` if it is unknown."""
        self._known.move_to_end(content)
        result, _ = self._known[content]
        if isinstance(result, ErrorInfo):
            raise RequestError(result)
        return result
