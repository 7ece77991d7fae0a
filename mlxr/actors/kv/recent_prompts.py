"""Prompts and answers of late, and why the next one finds less of them in the pool than it shares. Pure and bounded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss
from mlxr.runtime.messages.token_ids import ID_BYTES, TokenIds

MOST_PROMPTS = 64
MOST_TOKENS = 2_000_000
"""Of all prompts together that are remembered: 8 MB."""

MOST_EVICTIONS = 16_384


@dataclass(frozen=True, slots=True)
class Eviction:
    """``at``: when, in seconds of the clock that ``EvictionLog.now`` is of. ``request``: for whom; 0 where the pool had
    to shrink."""

    at: float
    request: int


class EvictionLog:
    """The addresses that were evicted last.

    now: what time it is. request: who gets pages now.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.request = 0
        self._known: OrderedDict[bytes, Eviction] = OrderedDict()

    def note(self, address: bytes) -> None:
        self._known[address] = Eviction(self.now, self.request)
        self._known.move_to_end(address)
        if len(self._known) > MOST_EVICTIONS:
            self._known.popitem(last=False)

    def of(self, address: bytes) -> Eviction | None:
        return self._known.get(address)


@dataclass(slots=True)
class _Recent:
    """``pool``: which pool it was computed in."""

    tokens: TokenIds
    adapters: str
    pool: int


class RecentPrompts:
    """Owns the memory of what sequences consisted of. ``pool``: counts the pools that there have been."""

    def __init__(self) -> None:
        self.pool = 0
        self._prompts: OrderedDict[int, _Recent] = OrderedDict()
        self._tokens = 0

    def note(self, sequence: int, tokens: TokenIds, adapters: str | None = None) -> None:
        """A sequence consists of ``tokens`` so far. ``adapters``: as in ``Admit``; None for the same as before."""
        before = self._prompts.pop(sequence, None)
        if before is not None:
            self._tokens -= len(before.tokens)
        if adapters is None:
            if before is None:
                return
            adapters = before.adapters
        self._prompts[sequence] = _Recent(tokens, adapters, self.pool)
        self._tokens += len(tokens)
        while len(self._prompts) > MOST_PROMPTS or self._tokens > MOST_TOKENS:
            self._tokens -= len(self._prompts.popitem(last=False)[1].tokens)

    def miss(
        self,
        tokens: TokenIds,
        adapters: str,
        found: int,
        block: int,
        reuse: bool,
        evicted: Eviction | None,
        now: float,
    ) -> PrefixMiss | None:
        """Returns why a prompt of which ``found`` tokens are in the pool has no more there; None where none was to be
        expected. ``block``: tokens of a page. ``evicted``: what became of the first page that was not found."""
        best, shared = self._most_alike(tokens, adapters)
        if best is None:
            return None
        usable = min(shared, len(tokens) - 1)
        if found >= usable // block * block:
            ends = shared in (len(tokens), len(best.tokens))
            if usable < block and len(tokens) <= block:
                return PrefixMiss(MissKind.SHORT, shared, block)
            return None if ends else PrefixMiss(MissKind.DIFFERS, shared, len(tokens))
        if not reuse:
            return PrefixMiss(MissKind.OFF, shared, len(tokens))
        if best.adapters != adapters:
            return PrefixMiss(MissKind.ADAPTERS, shared, len(tokens))
        if best.pool != self.pool:
            return PrefixMiss(MissKind.RESTARTED, shared, len(tokens))
        if evicted is not None:
            return PrefixMiss(MissKind.EVICTED, usable - found, len(tokens), now - evicted.at, evicted.request)
        return PrefixMiss(MissKind.NOT_KEPT, usable - found, len(tokens))

    def _most_alike(self, tokens: TokenIds, adapters: str) -> tuple[_Recent | None, int]:
        """Returns which of them begins with most of ``tokens``, and how many these are: the latest, but for one with
        the same ``adapters``."""
        best, shared = None, 0
        packed = tokens.packed
        same, more = b"", packed[:ID_BYTES]
        # One call for each: there may be 64 to ask, for every prompt.
        for recent in reversed(self._prompts.values()):
            begins = recent.tokens.packed.startswith
            if len(more) > len(same) and begins(more):
                best, shared = recent, _common(tokens, recent.tokens)
                same, more = packed[: ID_BYTES * shared], packed[: ID_BYTES * (shared + 1)]
            elif best is not None and recent.adapters == adapters != best.adapters and begins(same):
                best = recent
            if best is not None and len(more) == len(same) and best.adapters == adapters:
                break  # All of the prompt is shared.
        return best, shared


def _common(one: TokenIds, other: TokenIds) -> int:
    """How many tokens two prompts begin with alike."""
    length = min(len(one), len(other))
    if one.packed[: ID_BYTES * length] == other.packed[: ID_BYTES * length]:
        return length
    differs = np.frombuffer(one.packed, np.int32, length) != np.frombuffer(other.packed, np.int32, length)
    return int(differs.argmax())
