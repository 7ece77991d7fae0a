"""Why prompts find no more computed than they do: what was there of late, and what lies on disk and is of no use."""

from __future__ import annotations

from mlxr.actors.kv.disk.other_pages import OtherPages
from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.recent_prompts import RecentPrompts
from mlxr.runtime.messages.kv import Admit, OtherPagesFound, Release, Reset
from mlxr.runtime.messages.scheduler import MissKind, PrefixMiss


class PrefixMisses:
    """Owns the memory of prompts and answers, and of other engines' pages."""

    def __init__(self) -> None:
        self._recent = RecentPrompts()
        self._others: OtherPages | None = None
        self._epoch = 0

    def reset(self, message: Reset) -> None:
        """The pool is another one. What other engines have on disk is asked for anew of another executor alone."""
        self._recent.pool += 1
        if self._others is None or message.epoch != self._epoch:
            self._others, self._epoch = OtherPages(message.contents), message.epoch

    def found(self, event: OtherPagesFound) -> None:
        if self._others is not None and event.epoch == self._epoch:
            self._others.found(event)

    def admitted(self, message: Admit, cached: int, placement: Placement, now: float) -> PrefixMiss | None:
        """Notes a prompt, of which ``cached`` tokens were found; returns why no more, where there might have been."""
        miss = self._explained(message, cached, placement, now)
        self._recent.note(message.sequence, message.tokens, message.adapters)
        return miss

    def released(self, release: Release) -> None:
        """Notes what a sequence consists of in the end."""
        if release.tokens:
            self._recent.note(release.sequence, release.tokens)

    def _explained(self, message: Admit, cached: int, placement: Placement, now: float) -> PrefixMiss | None:
        tokens, adapters, block = message.tokens, message.adapters, placement.prefixes.block
        evicted = placement.evicted(tokens, adapters, cached)
        recent = self._recent.miss(tokens, adapters, cached, block, message.reuse, evicted, now)
        if self._others is None or (recent is not None and recent.kind is not MissKind.DIFFERS):
            return recent
        known = max(cached, recent.tokens if recent is not None else 0)
        return self._others.miss(tokens, adapters, known) or recent
