"""The executor's inbox: steps with physical pages filled in."""

from __future__ import annotations

from mlxr.runtime.messages.common import Message, Value
from mlxr.runtime.messages.kv import PlanRow, RowSetup


class StepRow(Value, frozen=True):
    """A planned row with its pages: ``pages[i]`` becomes entry ``first_page + i`` of the sequence's block table."""

    row: PlanRow
    first_page: int
    pages: list[int] = []


class ForkRow(Value, frozen=True):
    """A new sequence with its block table; ``copy`` is a (source, target) page to copy first, or None."""

    parent: int
    child: int
    pages: list[int]
    copy: tuple[int, int] | None = None
    setup: RowSetup | None = None


class Step(Message, frozen=True):
    """Command: drop what ``forget`` names, make the forks, run the rows as one forward pass, answer with ``StepDone``.

    A step of another ``epoch`` was meant for an executor that has died, and is dropped: the scheduler has planned anew.
    """

    epoch: int
    step: int
    rows: list[StepRow]
    forks: list[ForkRow] = []
    forget: list[int] = []


ExecutorInbox = Step
