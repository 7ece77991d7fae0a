"""Speculation: which tokens are likely to come next, and how many of them a step verifies. No socket, tensor or clock.

A *draft* is a list of tokens that may follow all that is known of a sequence. A step computes a row for it that ends
with the draft, and the executor samples behind each of its tokens as if it had come there one by one: what it accepts
is the longest beginning of the draft that it would have sampled anyway, and one token more.

The planner asks for drafts before each step (``Drafter.propose``) and then, for all of the step at once, how much of
each is worth it (``DepthPolicy.choose``). While a step with drafts runs, no other is in flight: what comes next depends
on what it accepts. So a draft must also make up for the time that the device then waits for its next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from mlxr.actors.scheduler.sequences import Sequence


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

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        """Returns at most ``most`` tokens that are likely to follow all that are known of the sequence; [] for none.

        It is asked at each step for each sequence that decodes, and so must be quick where there is nothing. Of
        sequences in flight the first ``Sequence.in_flight`` tokens of the answer are being sampled already; they only
        tell what a draft behind them could be.
        """
        ...


class StepCost(Struct, frozen=True):
    """What one step took.

    Attributes:
        decode_rows: rows of sequences that decode.
        tokens: tokens of all rows, drafts among them.
        prompt_tokens: those of them that belong to prompts.
        drafted: those of them that were drafts.
        device_seconds: how long the device was at it.
        wait_seconds: how long it had nothing to do before.
    """

    decode_rows: int
    tokens: int
    prompt_tokens: int
    drafted: int
    device_seconds: float
    wait_seconds: float


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


@dataclass(frozen=True, slots=True)
class Speculation:
    """Both parts, for one engine."""

    drafter: Drafter
    depths: DepthPolicy
