"""A step on its way through the device."""

from __future__ import annotations

from dataclasses import dataclass, field

import mlx.core as mx

from mlxr.actors.executor.token_validator import MatcherValidator
from mlxr.metal.sampling import SampledRows
from mlxr.runtime.messages.executor import Step


@dataclass(slots=True)
class LaunchedPromptLogprobs:
    """Log-probabilities of some of a prompt's ``tokens``, from position ``start`` on, still on the device."""

    sequence: int
    start: int
    top: int
    rows: SampledRows
    tokens: list[int]


@dataclass(slots=True)
class LaunchedStep:
    """A step on its way: what it samples, and the arrays that will hold the answers.

    Attributes:
        samplers: the sequence of each position that is sampled; one with a draft has several, one behind another.
        positions: where what is sampled goes.
        drafts: draft tokens, keyed by the index of their sequence's first entry in ``samplers`` and ``positions``.
        validator: what says which tokens constrained sequences may take.
        unread: as in ``Verified``, of the rows that were to get drafts made, by their sequences.
        drafting: what it took to make these.
        kept: what the drafter keeps of hidden states, to be computed with the rest.
    """

    step: Step
    launched_ns: int
    wait_ns: int
    samplers: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    drafts: dict[int, list[int]] = field(default_factory=dict)
    validator: MatcherValidator | None = None
    unread: dict[int, int] = field(default_factory=dict)
    drafting: list[tuple[int, int]] = field(default_factory=list)
    kept: list[mx.array] = field(default_factory=list)
    logits: mx.array | None = None
    pooled: mx.array | None = None
    sampled: SampledRows | None = None
    done: mx.array | None = None
    prompt_logprobs: list[LaunchedPromptLogprobs] = field(default_factory=list)

    def drop_arrays(self) -> None:
        """Lets go of what is not read any more: it may hold the pool that it was to be computed with."""
        self.kept, self.prompt_logprobs = [], []
        self.logits = self.pooled = self.sampled = self.done = None
