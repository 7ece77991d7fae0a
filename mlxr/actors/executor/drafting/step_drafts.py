"""Drafts that a step's rows want, made before the step is computed. A drafter that fails is done without."""

from __future__ import annotations

import logging
from collections.abc import Callable

import mlx.core as mx
from msgspec.structs import replace

from mlxr.actors.executor.drafting import CANNOT, Drafter, Made, Wanted
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.sequences import Sequence, SequenceTable
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import PlanRow
from mlxr.runtime.messages.token_ids import TokenIds

log = logging.getLogger("mlxr.executor")


class StepDrafts:
    """Stands between steps and the model's drafter, if it has one.

    ``failed``: hears why ``drafter`` makes no drafts any more. ``forget_steps``: has the backend let go of what it
    keeps of steps, which a drafter that failed may have left half done.
    """

    def __init__(
        self, drafter: Drafter | None, failed: Callable[[str], None], forget_steps: Callable[[], None]
    ) -> None:
        self._drafter = drafter
        self._failed = failed
        self._forget_steps = forget_steps

    @property
    def watches(self) -> bool:
        """Whether the drafter wants to know of the hidden states that steps compute."""
        return self._drafter is not None and self._drafter.watches

    def fill(self, launched: LaunchedStep, table: SequenceTable) -> Step:
        """Returns the launched step with the drafts that its rows want, as far as they can be made."""
        step = launched.step
        rows = [row for row in step.rows if row.wanted]
        drafts: list[list[int]] = [[] for _ in rows]
        launched.unread = {row.sequence: CANNOT for row in rows}
        made = self._made([_wanted(row, table[row.sequence]) for row in rows])
        if self._drafter is not None and made:
            drafts = [each.draft for each in made]
            launched.unread = {row.sequence: each.unread for row, each in zip(rows, made, strict=True)}
            launched.drafting = self._drafter.forwards
        with_drafts = {
            row.sequence: replace(
                row,
                length=row.length - row.wanted + len(draft),
                tokens=(row.tokens or TokenIds()) + TokenIds.of(draft),
                draft=row.draft - row.wanted + len(draft),
            )
            for row, draft in zip(rows, drafts, strict=True)
        }
        return replace(step, rows=[with_drafts.get(row.sequence, row) for row in step.rows])

    def watch(self, step: Step, hidden: mx.array) -> list[mx.array]:
        """Shows a drafter that watches each row's hidden states, float32 ``[T, width]`` of all rows. Returns what is
        to be computed with the step."""
        if self._drafter is None or not self._drafter.watches:
            return []
        first, kept = 0, []
        for row in step.rows:
            kept.append(self._drafter.saw(row.sequence, row.start, hidden, first, row.length))
            first += row.length
        return [array for array in kept if array is not None]

    def forget(self, sequence: int) -> None:
        if self._drafter is not None:
            self._drafter.forget(sequence)

    def clear(self) -> None:
        if self._drafter is not None:
            self._drafter.clear()

    def _made(self, wanted: list[Wanted]) -> list[Made]:
        """Returns what the drafter makes; nothing where it can't any more, for which no request fails."""
        if self._drafter is None:
            return []
        try:
            return self._drafter.draft(wanted)
        except Exception as error:
            log.exception("drafts can't be made; going on without")
            self._drafter = None
            self._forget_steps()
            self._failed(f"it failed, and drafts no more until the model is loaded anew: {error}")
            return []


def _wanted(row: PlanRow, sequence: Sequence) -> Wanted:
    """Returns what a row asks of a drafter. Nothing of its sequence is in flight."""
    assert row.tokens is not None
    given, known = row.draft - row.wanted, len(sequence.tokens)
    tokens = sequence.tokens + row.tokens[len(row.tokens) - given :].list() if given else sequence.tokens
    return Wanted(sequence, tokens, known, row.wanted, row.least)
