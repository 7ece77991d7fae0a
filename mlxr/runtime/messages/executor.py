"""The executor's inbox: steps with physical pages filled in."""

from __future__ import annotations

from typing import Any

from msgspec.structs import astuple

from mlxr.runtime.messages.common import Constraint, Message, Value
from mlxr.runtime.messages.kv import PlanRow


class StepRow(PlanRow, frozen=True):
    """A planned row with its pages: ``pages[i]`` becomes entry ``first_page + i`` of the sequence's block table."""

    first_page: int = 0
    pages: list[int] = []

    @classmethod
    def of(cls, row: PlanRow, first_page: int, pages: list[int]) -> StepRow:
        fields: tuple[Any, ...] = (*astuple(row), first_page, pages)
        return cls(*fields)


class ForkRow(Value, frozen=True):
    """``child``, registered by an earlier row, starts from the block table ``pages``, which it shares."""

    child: int
    pages: list[int]


class Step(Message, frozen=True):
    """Command: drop what ``forget`` names (everything, if ``reset``), make the forks, copy pages (source, target),
    then run the rows as one forward pass and answer with ``StepDone``.

    A step of another ``epoch`` was meant for an executor that has died, and is dropped: the scheduler plans anew.
    """

    epoch: int
    step: int
    rows: list[StepRow]
    forks: list[ForkRow] = []
    copies: list[tuple[int, int]] = []
    forget: list[int] = []
    reset: bool = False


class Describe(Message, frozen=True):
    """Command: answer with ``ExecutorReady`` if a model is loaded; a restarted scheduler asks."""


class CompileConstraint(Message, frozen=True):
    """Command: answer with ``ConstraintCompiled`` once sequences of ``request`` can be held to ``constraint`` without a
    delay."""

    epoch: int
    request: int
    constraint: Constraint


ExecutorInbox = Step | Describe | CompileConstraint
