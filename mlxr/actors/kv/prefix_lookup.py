"""The longest prefix at which every cache group has what a sequence needs to go on: in the pool, or also on disk."""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass

from mlxr.actors.kv.disk.index import PageIndex
from mlxr.actors.kv.groups import Group
from mlxr.actors.kv.prefix import PrefixChain, TurnEnds, adapted_root
from mlxr.runtime.messages.kv import CacheKind, snapshot_grid
from mlxr.runtime.messages.token_ids import TokenIds


class PrefixLookup:
    """Makes addresses and looks them up in all groups. Owns the memory of where turns ended within blocks.

    ``root``: the address of an empty prefix. ``block``: tokens from one address to the next.
    """

    def __init__(self, groups: Sequence[Group], root: bytes) -> None:
        self.block = math.gcd(*(group.spec.page_size for group in groups))
        self._groups = groups
        self._root = root
        self._grid = snapshot_grid([group.spec for group in groups])
        # Without states, what is found ends with a page, and nobody need know where turns end.
        states = sum(group.spec.pages for group in groups if group.spec.kind is CacheKind.STATE)
        self._turn_ends = TurnEnds(most=states) if states else None

    def chain(self, tokens: TokenIds, adapters: str) -> PrefixChain:
        """Returns addresses of a sequence's prefixes. ``adapters``: as in ``Admit``."""
        return PrefixChain(tokens, self.block, adapted_root(self._root, adapters))

    def longest(self, chain: PrefixChain, limit: int, index: PageIndex | None = None) -> int:
        """Returns the longest prefix, at most ``limit`` tokens, at which there is what every group needs: in the pool,
        or also in ``index``."""
        known: list[Container[bytes]] = [
            group.pool if index is None else _Either(group.pool, index.group(number))
            for number, group in enumerate(self._groups)
        ]
        reach = min(group.reach(chain, limit, part) for group, part in zip(self._groups, known, strict=True))
        position = reach - reach % self.block
        while position or self._turn_ends is not None:
            for length in self._tails(chain.at(position), index):
                whole = position + length
                if whole <= limit and self._usable(chain, whole, known) == whole:
                    return whole
            usable = self._usable(chain, position, known)
            if usable == position:
                return position
            position = usable - usable % self.block
        return 0

    def turn_ended(self, address: bytes, length: int) -> None:
        """A turn ended ``length`` tokens behind the block that ends with ``address``; 0 where it ended with that."""
        if self._turn_ends is not None and length:
            self._turn_ends.note(address, length)

    def keeps_states(self, filled: int, *, turn_ends: bool) -> bool:
        """Returns whether states after ``filled`` tokens are to be found by others. ``turn_ends``: a turn ends there,
        or a prompt does."""
        if self._grid is None or self._turn_ends is None or not filled:
            return False
        return turn_ends or filled % self._grid == 0

    def _usable(self, chain: PrefixChain, position: int, known: list[Container[bytes]]) -> int:
        return min(group.usable(chain, position, part) for group, part in zip(self._groups, known, strict=True))

    def _tails(self, address: bytes, index: PageIndex | None) -> list[int]:
        """Lengths behind a block at which turns ended, the longest first."""
        if self._turn_ends is None:
            return []
        here = self._turn_ends.behind(address)
        return here if index is None else sorted({*here, *index.tails(address)}, reverse=True)


@dataclass(frozen=True, slots=True)
class _Either:
    """Addresses that are in one of two places."""

    one: Container[bytes]
    other: Container[bytes]

    def __contains__(self, address: object) -> bool:
        return address in self.one or address in self.other
