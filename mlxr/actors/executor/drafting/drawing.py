"""Drawing a draft's next token: by the same random number as the model at that position."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import mlx.core as mx
import numpy as np

from mlxr.actors.executor.drafting import Made, Wanted
from mlxr.actors.executor.sampling import sampling_batch
from mlxr.actors.executor.sequences import Sequence
from mlxr.metal.backend import Backend
from mlxr.runtime.messages.common import Sampling

SHIFT = 0.1
"""By how much the sums of probabilities, in whose order tokens are drawn, are taken to differ between the model and who
drafts for it, where nobody knows: a token that is drawn with more is drawn by both, mostly."""


@dataclass(slots=True)
class Draft:
    """A draft on its way.

    Attributes:
        row: the place of its row among those that want drafts.
        chance: how likely all of it is right.
    """

    row: int
    wanted: Wanted
    chance: float = 1.0


class Drawer:
    """``ids``: how many tokens the model knows that is drafted for. ``needs_history``: every token of a sequence is one
    that logits are of, so that penalties can be applied."""

    def __init__(self, backend: Backend, ids: int, *, needs_history: bool) -> None:
        self._backend = backend
        self._ids = ids
        self._needs_history = needs_history

    def draw(self, drafts: list[Draft], logits: mx.array, made: list[Made], also: Iterable[mx.array]) -> list[Draft]:
        """Adds a token to each draft, by its row of ``logits``; returns those that go on. ``also``: what is to be
        evaluated with that."""
        rows = [self._sampled_as(each.wanted.sequence) for each in drafts]
        positions = [len(each.wanted.tokens) + len(made[each.row].draft) for each in drafts]
        drawn = self._backend.sample(logits, replace(sampling_batch(rows, positions), logprobs=0))
        assert drawn.logprobs is not None
        mx.eval(drawn.tokens, drawn.logprobs, *also)
        tokens, logprobs = np.array(drawn.tokens).tolist(), np.array(drawn.logprobs).tolist()
        going: list[Draft] = []
        for each, token, logprob in zip(drafts, tokens, logprobs, strict=True):
            if not 0 <= token < self._ids:
                continue
            each.chance *= _chance(math.exp(min(0.0, logprob)), greedy=not each.wanted.sequence.sampling.temperature)
            if each.chance < each.wanted.least:
                continue
            made[each.row].draft.append(token)
            if len(made[each.row].draft) < each.wanted.most:
                going.append(each)
        return going

    def _sampled_as(self, sequence: Sequence) -> Sequence:
        """Returns ``sequence``, or one like it that looks back at nothing."""
        if self._needs_history:
            return sequence
        s = sequence.sampling
        alike = Sampling(s.temperature, top_k=s.top_k, top_p=s.top_p, min_p=s.min_p, typical_p=s.typical_p, seed=s.seed)
        return Sequence(sequence.id, alike, [], 0, None, normalize=True)


def _chance(probability: float, *, greedy: bool) -> float:
    """Returns how likely a token is right that has so much ``probability`` of being next."""
    return probability if greedy else max(0.0, 1.0 - SHIFT / max(probability, 1e-9))
