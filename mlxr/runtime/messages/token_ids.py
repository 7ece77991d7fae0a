"""Token ids in messages: packed once, where a prompt is encoded, and passed on as they are from there to the device."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from mlxr.runtime.messages.common import Value

ID_BYTES = 4


class TokenIds(Value, frozen=True):
    """Token ids as native 32-bit integers (all actors are of one host): a hop copies them, and encodes none.

    A slice is again ``TokenIds``.
    """

    packed: bytes = b""

    @classmethod
    def of(cls, tokens: Iterable[int]) -> TokenIds:
        return cls(array("i", tokens).tobytes())

    def __len__(self) -> int:
        return len(self.packed) // ID_BYTES

    def __iter__(self) -> Iterator[int]:
        return iter(self.list())

    def __getitem__(self, part: slice) -> TokenIds:
        start, stop, _ = part.indices(len(self))
        return TokenIds(self.packed[ID_BYTES * start : ID_BYTES * stop])

    def __add__(self, other: TokenIds) -> TokenIds:
        return TokenIds(self.packed + other.packed)

    def list(self) -> list[int]:
        return array("i", self.packed).tolist()
