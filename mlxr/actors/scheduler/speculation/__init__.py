"""Speculation: which tokens are likely to come next, and how many of them a step verifies. No socket, tensor or clock.

A *draft* is a list of tokens that may follow all that is known of a sequence. A step computes a row for it that ends
with the draft, and the executor samples behind each of its tokens as if it had come there one by one: what it accepts
is the longest beginning of the draft that it would have sampled anyway, and one token more.

The planner asks for drafts before each step (``Drafter.propose``) and then, for all of the step at once, how much of
each is worth it (``DepthPolicy.choose``). While a step with drafts runs, no other is in flight: what comes next depends
on what it accepts. So a draft must also make up for the time that the device then waits for its next step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation.origins import Part
from mlxr.runtime.messages.scheduler import DrafterInfo, Verified


class Drafter(Protocol):
    """Makes drafts for the sequences of one engine. Drafters may be joined to one."""

    def opened(self, sequence: Sequence) -> None:
        """The sequence begins to run, with the tokens that it has by then (``Sequence.tokens``). Once in its life."""
        ...

    def accepted(self, sequence: Sequence, tokens: list[int]) -> None:
        """``tokens`` have been added to the sequence's."""
        ...

    def forced(self, sequence: Sequence, tokens: list[int]) -> None:
        """The sequence's constraint allows nothing behind all that is known of it but what ``tokens`` spell. Told once,
        and again only where what came was spelled otherwise, or there is more."""
        ...

    def closed(self, sequence: Sequence) -> None:
        """The sequence, which was opened, has ended."""
        ...

    def hopeful(self, sequences: list[Sequence]) -> list[Sequence]:
        """Returns, in order, those of ``sequences`` that a draft may exist for; all of them were opened. It is asked at
        each step, and so must be quick."""
        ...

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        """Returns at most ``most`` tokens that are likely to follow all that are known of the sequence; [] for none.

        It is asked at each step for each sequence that decodes and is hopeful. Of sequences in flight the first
        ``Sequence.in_flight`` tokens of the answer are being sampled already; they only tell what a draft behind them
        could be.
        """
        ...


class RowDraft(Struct, frozen=True):
    """What a row has of a draft.

    Attributes:
        tokens: those that are there.
        wanted: how many more the executor is to make behind them.
        least: it makes none that is less likely to be right.
    """

    tokens: list[int] = []
    wanted: int = 0
    least: float = 0.0

    def __len__(self) -> int:
        return len(self.tokens) + self.wanted


NO_DRAFT = RowDraft()


class StepCost(Struct, frozen=True):
    """What one step took.

    Attributes:
        decode_rows: rows of sequences that decode.
        tokens: tokens of all rows, drafts among them.
        prompt_tokens: those of them that belong to prompts.
        drafted: those of them that were drafts.
        device_seconds: how long the device was at it.
        wait_seconds: how long it had nothing to do before.
        follows: the step was planned while another was in flight.
        passes: of the executor's own drafter, how many tokens each pass had and the seconds that it took, which are no
            part of ``device_seconds``.
    """

    decode_rows: int
    tokens: int
    prompt_tokens: int
    drafted: int
    device_seconds: float
    wait_seconds: float
    passes: list[tuple[int, float]] = []
    follows: bool = True


class DepthPolicy(Protocol):
    """Decides how much of each draft is worth its time, and learns from what came of it."""

    def choose(self, drafts: list[tuple[Sequence, list[int]]], decode_rows: int) -> list[int]:
        """Returns of each draft how many of its tokens to verify, 0 for none, in a step with ``decode_rows`` rows of
        sequences that decode, those with drafts among them. Drafts are never empty."""
        ...

    def observed(self, cost: StepCost) -> None:
        """A step has run."""
        ...

    def verified(self, sequence: Sequence, drafted: int, accepted: int) -> None:
        """Of ``drafted`` tokens behind the sequence's the first ``accepted`` were right. Told before the drafter hears
        of them."""
        ...


class DeviceDraftPolicy(Protocol):
    """Decides which rows have the executor itself make drafts, and learns from what came of it."""

    @property
    def on(self) -> bool:
        """Whether the executor can."""
        ...

    def parts(self, sequence: Sequence, count: int) -> list[Part]:
        """Returns what a draft of so many tokens of the sequence is made of."""
        ...

    def opened(self, info: DrafterInfo | None) -> None:
        """An executor is there, which can or can't, and has read nothing."""
        ...

    def choose(self, rows: list[tuple[Sequence, int]], decode_rows: int, *, others: bool) -> dict[int, RowDraft]:
        """Returns the drafts to be made for a step, by the ids of sequences, in place of those that they have.
        ``rows``: who may have one, of how many tokens at most. ``others``: ``DepthPolicy.choose`` has just said which
        others there are."""
        ...

    def observed(self, cost: StepCost) -> None:
        """A step has run."""
        ...

    def verified(self, sequence: Sequence, wanted: int, result: Verified) -> None:
        """A draft of ``wanted`` tokens was asked for. Told before the sequence gets the step's tokens."""
        ...

    def closed(self, sequence: Sequence) -> None:
        """The sequence has ended."""
        ...


@dataclass(frozen=True, slots=True)
class Speculation:
    """All parts, for one engine. ``device``: None where the executor is never asked for drafts. ``parts``: tells what a
    sequence's latest draft is made of; None where nobody can tell."""

    drafter: Drafter
    depths: DepthPolicy
    device: DeviceDraftPolicy | None = None
    parts: Callable[[Sequence], list[Part]] | None = None
