"""The KV manager's inbox: sequences to place and steps to fill in with pages."""

from __future__ import annotations

from enum import StrEnum

from mlxr.runtime.messages.common import Constraint, Message, Sampling, Value


class CacheKind(StrEnum):
    """What a group of layers keeps of a sequence in its pages.

    ``FULL``: keys and values of every token.
    ``WINDOW``: keys and values of the tokens that a sliding window still sees.
    ``LATENT``: one compressed vector of every token (multi-head latent attention).
    ``STATE``: a state of fixed size that stands for all tokens so far (recurrent mixers); a page is one such state.
    """

    FULL = "full"
    WINDOW = "window"
    LATENT = "latent"
    STATE = "state"


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


class WantedPromptLogprobs(Value, frozen=True):
    """``tokens``: the prompt tokens that follow the positions of a row, one after another from the row's first on.
    ``top``: how many alternatives to report for each."""

    tokens: list[int]
    top: int


class PlanRow(Value, frozen=True):
    """One sequence's part of a step: tokens at positions ``start`` to ``start + length``.

    ``tokens`` holds them, or is None when the one input token is what the step before sampled for this sequence
    and is still on the device.
    ``sample``: sequences that take their next token from the row's last position (itself, or all choices that share
    the prompt).
    ``setup``: the executor does not know the sequence yet.
    ``prompt_logprobs``: report log-probabilities of prompt tokens.
    ``pool``: the input of an embedding ends with this row.
    ``register``: choices that share the prompt and sample here for the first time.
    ``embeds``: the row's hidden states belong to an embedding.
    """

    sequence: int
    start: int
    length: int
    tokens: list[int] | None = None
    sample: list[int] = []
    setup: RowSetup | None = None
    prompt_logprobs: WantedPromptLogprobs | None = None
    pool: bool = False
    register: list[tuple[int, RowSetup]] = []
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


class Admit(Message, frozen=True):
    """Command: look up ``tokens`` in the prefix cache (unless ``reuse`` is off) and hold what is found, promise pages
    for the rest, and answer with ``Admitted``. The last token is never served from the cache: its logits are needed.
    ``ticket``: each admission has its own, a later one a greater."""

    sequence: int
    tokens: list[int]
    ticket: int
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
