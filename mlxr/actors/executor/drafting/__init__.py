"""Drafting: what on the device itself says which tokens are likely to follow a sequence, before a step verifies them.

A row of a step may ask for further tokens of a draft (``PlanRow.wanted``). Before the step is computed a ``Drafter``
makes them, all rows together, on pages of its own that nobody else knows: they are rebuilt when they are lost, and
what they hold changes no byte of any answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from mlxr.actors.executor.sequences import Sequence
from mlxr.runtime.messages.scheduler import DrafterInfo

if TYPE_CHECKING:
    import mlx.core as mx

CANNOT = -1
"""Stands for the tokens that are still to be read where no draft can be made, since there is no room."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a row asks for.

    Attributes:
        tokens: of the sequence, all that are known, and behind them those of its draft that others made.
        known: how many of them are the sequence's.
        most: so many further ones, or fewer.
        least: none that is less likely to be right, with all before it, where that can be told.
    """

    sequence: Sequence
    tokens: list[int]
    known: int
    most: int
    least: float


@dataclass(slots=True)
class Made:
    """What a row gets. ``unread``: tokens of the sequence that are still to be read before there can be a draft;
    ``CANNOT`` where there will be none."""

    draft: list[int]
    unread: int = 0


class Drafter(Protocol):
    """Makes drafts. All methods belong to the device's thread.

    Attributes:
        info: what the scheduler is told of it.
        forwards: how many tokens each forward pass of the last ``draft`` had, and how long it took, in nanoseconds.
        watches: it wants to know of the hidden states that steps compute.
    """

    watches: bool
    info: DrafterInfo
    forwards: list[tuple[int, int]]

    def draft(self, wanted: list[Wanted]) -> list[Made]:
        """Returns what each row gets."""
        ...

    def saw(self, sequence: int, start: int, hidden: mx.array, first: int, count: int) -> mx.array | None:
        """A step computes positions of a sequence from ``start`` on: ``count`` rows of ``hidden``, float32 ``[T,
        width]`` before the final norm, from ``first`` on. Told in the order of steps. Returns what is to be computed
        with the step, if anything is: else all that it is made of would be kept."""
        ...

    def forget(self, sequence: int) -> None:
        """The sequence is over, or starts anew."""
        ...

    def clear(self) -> None:
        """Everything that is kept is void."""
        ...
