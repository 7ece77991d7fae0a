"""Pages on disk that an engine can't use, since another one computed them: who would have found a prompt there, and
why this one does not."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.kv.prefix import PrefixChain, adapted_root, chain_root
from mlxr.runtime.messages.kv import OtherPagesFound
from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss
from mlxr.runtime.messages.token_ids import TokenIds

MOST_FOLDERS = 16


@dataclass(frozen=True, slots=True)
class _Other:
    kind: MissKind
    root: bytes
    block: int
    addresses: frozenset[bytes]


class OtherPages:
    """Owns what is known of other engines' pages. ``contents``: as in ``Reset``."""

    def __init__(self, contents: list[str]) -> None:
        self._contents = contents
        self._others: list[_Other] = []

    def found(self, event: OtherPagesFound) -> None:
        if len(self._others) < MOST_FOLDERS and event.block > 0:
            kind = difference(self._contents, event.contents)
            self._others.append(_Other(kind, chain_root(*event.contents), event.block, frozenset(event.addresses)))

    def miss(self, tokens: TokenIds, adapters: str, found: int) -> PrefixMiss | None:
        """Returns why more of a prompt is on disk than the ``found`` tokens, and of no use; None where nothing is."""
        best: tuple[int, MissKind] | None = None
        for other in self._others:
            chain = PrefixChain(tokens, other.block, adapted_root(other.root, adapters))
            length = 0
            while length + other.block <= len(tokens) and chain.at(length + other.block) in other.addresses:
                length += other.block
            if length > max(found, best[0] if best is not None else 0):
                best = length, other.kind
        return PrefixMiss(best[1], best[0], len(tokens)) if best is not None else None


def difference(own: list[str], other: list[str]) -> MissKind:
    """Returns the first of what pages depend on that is another: the model, the packages' versions, who computes, how
    pages are laid out. Both: as ``page_contents`` has them."""
    mine, others = (contents + [""] * 5 for contents in (own, other))
    if mine[0] != others[0]:
        return MissKind.MODEL
    if mine[3:5] != others[3:5]:
        return MissKind.VERSION
    if mine[1:3] != others[1:3]:
        return MissKind.BACKEND
    return MissKind.LAYOUT
