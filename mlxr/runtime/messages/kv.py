"""The KV manager's inbox: sequences to place and steps to fill in with pages."""

from __future__ import annotations

from mlxr.runtime.messages.common import Constraint, Message, Sampling, Value


class RowSetup(Value, frozen=True):
    """What the executor must know of a sequence before its first row of an epoch.

    ``tokens``: prompt and output so far (penalties and constraints look back on them), of which the first
    ``prompt_length`` are the prompt.
    """

    sampling: Sampling
    tokens: list[int]
    prompt_length: int
    constraint: Constraint | None = None
    normalize: bool = True


class PlanRow(Value, frozen=True):
    """One sequence's part of a step: tokens at positions ``start`` to ``start + length``.

    ``tokens`` holds them, or is empty when the one input token is what the step before sampled for this sequence
    and is still on the device. ``sample``: sequences that take their next token from the row's last position (itself,
    or all choices that share the prompt). ``score``: report so many alternatives for each next token within the row,
    with ``targets`` as the tokens that follow each position; -1 for none. ``embeds``: its hidden states belong to an
    embedding, whose input ends with this row if ``pool``. ``introduce``: choices that share the prompt and sample
    here for the first time.
    """

    sequence: int
    start: int
    length: int
    tokens: list[int] = []
    sample: list[int] = []
    setup: RowSetup | None = None
    score: int = -1
    targets: list[int] = []
    pool: bool = False
    introduce: list[tuple[int, RowSetup]] = []
    embeds: bool = False


class Fork(Value, frozen=True):
    """``child`` shares ``parent``'s first ``length`` tokens (copy on write)."""

    parent: int
    child: int
    length: int


class Release(Value, frozen=True):
    """The sequence is over, or gives its pages back. ``tokens``: all its tokens whose keys and values are in place,
    so that full pages can be kept for reuse; empty keeps none."""

    sequence: int
    tokens: list[int] = []
    forget: bool = True


class Admit(Message, frozen=True):
    """Command: look up ``tokens`` in the prefix cache and hold what is found. ``salt`` separates what must not be
    shared. The last token is never served from the cache: its logits are needed."""

    sequence: int
    tokens: list[int]
    ticket: int = 0
    salt: str = ""
    reuse: bool = True


class Plan(Message, frozen=True):
    """Command: give every row its pages and pass the step on. ``forks`` and ``releases`` come before the rows, in
    that order."""

    epoch: int
    step: int
    rows: list[PlanRow]
    releases: list[Release] = []
    forks: list[Fork] = []


class Reset(Message, frozen=True):
    """Command: a new pool; every sequence and every cached page is gone."""

    epoch: int
    pages: int
    page_size: int


KVInbox = Admit | Plan | Reset
