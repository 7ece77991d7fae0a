"""Which tokens the rows of a step may take: each row's matcher is asked where its sequence stands, or, behind a draft,
would stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlxr.actors.executor.time_budget import TimeBudget
from mlxr.models.constraints import Matcher

WORD_BITS = 32

Drafts = Mapping[int, list[int]]
"""Tokens of drafts, by the row of the position before the first of them. The rows behind that one are of the positions
behind each of its tokens."""

NO_DRAFTS: Drafts = {}


@dataclass(slots=True, eq=False)
class TrackedMatcher:
    """A sequence's matcher, and what it has cost.

    Attributes:
        forced: what has been foretold and not come yet.
    """

    matcher: Matcher
    budget: TimeBudget = field(default_factory=TimeBudget)
    forced: list[int] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether nothing is asked of it any more: its row's end is on its way."""
        return self.budget.exceeded or bool(self.matcher.error)

    def foretold(self, token: int) -> list[int]:
        """Returns what must come behind ``token``, which has just come, if there is news."""
        if self.forced[:1] == [token] and len(self.forced) > 1:
            del self.forced[0]
            return []
        if self.over:
            return []
        with self.budget.measure():
            self.forced = self.matcher.forced()
        return list(self.forced)

    def branch(self) -> TrackedMatcher:
        """Returns one that stands at the same place and goes on by itself, at the cost of the same sequence."""
        return TrackedMatcher(self.matcher.branch(), self.budget)


class MatcherValidator:
    """Says which tokens some rows may take next; a ``mlxr.metal.sampling.TokenValidator``. It asks each row's matcher
    where that stands at the time of the question.

    A position behind a draft is asked about as if the draft were right up to there: no answer matters otherwise, and
    where the tokens drawn tell already that it is wrong, nothing is asked.

    Attributes:
        ended: rows at which the reasoning section ends, since the model would have ended its answer there. A matcher
            learns of it at once, but for positions behind drafts: then once its sequence is there.
        errors: why sequences could not go on at such positions, by row.
    """

    def __init__(self, matchers: list[TrackedMatcher | None], vocab_size: int, drafts: Drafts = NO_DRAFTS) -> None:
        self.matchers = matchers
        self.drafts = drafts
        self.ended: set[int] = set()
        self.errors: dict[int, str] = {}
        self._words = -(-vocab_size // WORD_BITS)
        self._behind = {first + 1 + at for first, draft in drafts.items() for at in range(len(draft))}

    def forbidden(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
        found: list[tuple[int, NDArray[np.int32]]] = []
        self.ended.clear()
        for row, (tracked, token) in enumerate(zip(self.matchers, tokens, strict=True)):
            if tracked is None or row in self._behind:
                continue
            forbidden = self._ask(tracked, row, token, found)
            if draft := self.drafts.get(row):
                self._follow(tracked.branch(), row, draft, tokens, forbidden, found)
        return found

    def masks(self) -> NDArray[np.int32]:
        masks = np.full((len(self.matchers), self._words), -1, np.int32)
        for row, tracked in enumerate(self.matchers):
            if tracked is None or row in self._behind:
                continue
            self._mask_into(tracked, masks[row])
            draft = self.drafts.get(row)
            branch = tracked.branch() if draft else tracked
            for at, token in enumerate(draft or (), row + 1):
                if not self._taken(branch, token):
                    break
                self._mask_into(branch, masks[at])
        return masks

    def _follow(
        self,
        branch: TrackedMatcher,
        row: int,
        draft: list[int],
        tokens: list[int],
        forbidden: bool,
        found: list[tuple[int, NDArray[np.int32]]],
    ) -> None:
        """Asks about the positions behind ``draft``, as far as they may come to matter."""
        for at, drafted in enumerate(draft, row + 1):
            # What is forbidden is drawn again, and may be what was drafted.
            if (tokens[at - 1] != drafted and not forbidden) or not self._taken(branch, drafted):
                return
            forbidden = self._ask(branch, at, tokens[at], found)
            if branch.matcher.error:
                self.errors[at] = branch.matcher.error
                return

    def _ask(self, tracked: TrackedMatcher, row: int, token: int, found: list[tuple[int, NDArray[np.int32]]]) -> bool:
        """Tells whether ``token`` is forbidden; if so, adds the row and its mask to what was ``found``."""
        # No token at all is a fault of the model's, which no mask mends.
        if token < 0 or tracked.over:
            return False
        with tracked.budget.measure():
            allowed = tracked.matcher.allows(token)
        if not allowed:
            if tracked.matcher.refuse(token):
                self.ended.add(row)
            bits = np.full(self._words, -1, np.int32)
            self._mask_into(tracked, bits)
            found.append((row, bits))
        return not allowed

    def _taken(self, branch: TrackedMatcher, token: int) -> bool:
        """Goes on behind a drafted token; False where nothing can follow it."""
        if branch.over:
            return False
        with branch.budget.measure(1):
            return branch.matcher.allows(token) and branch.matcher.consume(token) and not branch.matcher.stopped

    def _mask_into(self, tracked: TrackedMatcher, bits: NDArray[np.int32]) -> None:
        if not tracked.over:
            with tracked.budget.measure():
                tracked.matcher.mask_into(bits)
