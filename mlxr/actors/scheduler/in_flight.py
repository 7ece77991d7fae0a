"""In-flight steps: which rows they hold, which rows turn out not to have run, and how many steps there may be."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from msgspec import Struct

from mlxr.actors.scheduler.sequences import Sequence

SHORT_STEP_SECONDS = 0.01
"""Below it a step's planning, which the device's thread must otherwise wait for, is felt in every token."""


LONG_WAIT_SECONDS = 0.2
"""Nothing is planned behind steps that take longer: whoever comes meanwhile would wait for that, too, and a client that
leaves would have it computed. Beside it a plan's way to the device, one or two milliseconds, is nothing."""

RATED_TOKENS = 64
"""Tokens of a step from which on it tells how long tokens take."""


def steps_in_flight(step_seconds: float) -> int:
    """Returns how many steps may be under way, by how long the last one took on the device.

    With two, the plan for the next step waits at the executor while one runs. With three, the executor also has a plan
    to launch at the moment a step ends, beside the tokens' way out instead of behind it: worth an eighth of the speed
    of a small model on two cores. It costs whoever joins the batch one step more, and so is kept to short ones.
    """
    return 3 if step_seconds < SHORT_STEP_SECONDS else 2


class InFlightRow(Struct, eq=False):
    """One row of a step.

    Attributes:
        start: the position of its first token.
        samples: the sequences that take a token from it.
        registered: it told the executor of its sequence.
        length: how many tokens it has.
        draft: how many of these, its last, are a draft.
        wanted: how many of these the executor was to make.
        behind: as in ``Sequence``, before it was planned.
        decodes: it is no part of a prompt.
        goes_back: unless all of its draft is right, its sequence is again where it was before.
    """

    sequence: Sequence
    start: int
    samples: list[Sequence]
    registered: bool
    length: int = 1
    draft: int = 0
    behind: int = 0
    decodes: bool = False
    goes_back: bool = False
    wanted: int = 0


class InFlightSteps:
    """Owns the rows of every planned step until it is done. The KV manager's word that a row did not run and the
    executor's that its step is done may arrive in either order."""

    def __init__(self) -> None:
        self._steps: dict[int, list[InFlightRow]] = {}
        self._first: int | None = None
        """The newest step that was planned while none was in flight."""
        self._step_seconds = math.inf
        self._token_seconds = 0.0
        """What a token took in the last step of many that was behind no other, or in one of fewer that took less."""
        self._tokens: dict[int, int] = {}
        """Of each step in flight, as it was planned."""
        self._paused = False

    def __len__(self) -> int:
        return len(self._steps)

    def __contains__(self, step: int) -> bool:
        return step in self._steps

    @property
    def full(self) -> bool:
        """Whether no more steps may be planned for now."""
        if not self._steps:
            return False
        long = sum(self._tokens.values()) * self._token_seconds > LONG_WAIT_SECONDS
        return self._paused or long or len(self._steps) >= steps_in_flight(self._step_seconds)

    def pause(self) -> None:
        """Lets nothing be planned until a step is done: whatever came of it now would be left out again."""
        self._paused = True

    def add(self, step: int, rows: list[InFlightRow]) -> None:
        """Notes the rows of ``step``, which then count as in flight; a step without rows does not."""
        if rows:
            self._first = self._first if self._steps else step
            self._steps[step] = rows
            self._tokens[step] = sum(row.length for row in rows)

    def clear(self) -> None:
        self._steps.clear()
        self._tokens.clear()
        self._paused = False

    def rows(self) -> Iterator[InFlightRow]:
        return (row for rows in self._steps.values() for row in rows)

    def of(self, step: int) -> list[InFlightRow]:
        """Returns the rows of ``step``."""
        return list(self._steps.get(step, ()))

    def follows(self, step: int) -> bool:
        """Tells whether ``step``, which is in flight, was planned while another was, so that the device need not wait
        for it."""
        return step != self._first

    def newest_samplers(self) -> set[int]:
        """Returns the sequences that the newest step samples one token for."""
        newest = next(reversed(self._steps.values()), [])
        return {sampler.id for row in newest if not row.draft for sampler in row.samples}

    def holds(self, sequence: Sequence) -> bool:
        """Tells whether any row of ``sequence`` is in flight."""
        return any(row.sequence is sequence for row in self.rows())

    def finish(self, step: int, ran: Collection[int], seconds: float) -> list[InFlightRow]:
        """Takes ``step`` out, which the device ran in ``seconds`` for the sequences ``ran``. Returns its rows that did
        not run, and the rows planned behind them."""
        self._step_seconds = seconds
        self._paused = False
        # Of one that was queued behind another, some may count as the other's.
        tokens = self._tokens[step] if not self.follows(step) and len(ran) == len(self._steps[step]) else 0
        if tokens >= RATED_TOKENS or tokens * self._token_seconds > seconds:
            self._token_seconds = seconds / tokens
        missing = [row.sequence.id for row in self._steps[step] if row.sequence.id not in ran]
        withdrawn = [row for sequence in missing for row in self.withdraw(sequence, step)]
        self._steps.pop(step, None)
        self._tokens.pop(step, None)
        return withdrawn

    def withdraw(self, sequence: int, step: int) -> list[InFlightRow]:
        """Takes out the row of ``sequence`` that did not run in ``step``, and those planned behind it, which can't run.

        A row withdrawn already (because an earlier one was) is reported too, and says nothing of rows planned since.
        """
        if not any(row.sequence.id == sequence for row in self._steps.get(step, [])):
            return []
        withdrawn: list[InFlightRow] = []
        for number in sorted(n for n in self._steps if n >= step):
            withdrawn += [row for row in self._steps[number] if row.sequence.id == sequence]
            self._steps[number] = [row for row in self._steps[number] if row.sequence.id != sequence]
            if not self._steps[number]:
                del self._steps[number], self._tokens[number]
        return withdrawn
