"""What was found out about things that strangers sent, by their content."""

from __future__ import annotations

from collections import OrderedDict

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorInfo

KEPT = 4096
"""Verdicts kept, the latest used: some hundred bytes each."""


class Verdicts:
    """Keeps the latest verdicts: None for what is good, else what its sender is told."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._known: OrderedDict[bytes, ErrorInfo | None] = OrderedDict()

    def __contains__(self, content: bytes) -> bool:
        return content in self._known

    def add(self, content: bytes, verdict: ErrorInfo | None) -> None:
        self._known[content] = verdict
        self._known.move_to_end(content)
        if len(self._known) > self._kept:
            self._known.popitem(last=False)

    def raise_if_bad(self, content: bytes) -> None:
        """Raises ``RequestError`` if what has that content was found to be bad, ``KeyError`` if it is unknown."""
        self._known.move_to_end(content)
        if (info := self._known[content]) is not None:
            raise RequestError(info)
