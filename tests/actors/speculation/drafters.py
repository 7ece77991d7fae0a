"""Drafters over a real model: they know from a run without speculation what it will say, and may lie about it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import Speculation
from tests.actors.scheduler.drafters import WholeDrafts


@dataclass
class InformedDrafter:
    """Each proposal is of another kind: right, wrong, right up to somewhere, too long, with a stop or any tokens
    within, found by the last two tokens, or none."""

    outputs: Mapping[int, list[int]]
    vocab_size: int
    choose: random.Random
    known: dict[int, list[int]] = field(default_factory=dict)
    foretold: dict[int, list[int]] = field(default_factory=dict)

    def opened(self, sequence: Sequence) -> None:
        assert sequence.request.submit.speculate, "its request has turned it off"
        self.known[sequence.id] = sequence.tokens().list()

    def accepted(self, sequence: Sequence, tokens: list[int]) -> None:
        self.known[sequence.id] += tokens
        self.foretold.pop(sequence.id, None)

    def forced(self, sequence: Sequence, tokens: list[int]) -> None:
        assert tokens
        self.foretold[sequence.id] = tokens

    def closed(self, sequence: Sequence) -> None:
        del self.known[sequence.id]

    def hopeful(self, sequences: list[Sequence]) -> list[Sequence]:
        return sequences

    def propose(self, sequence: Sequence, most: int) -> list[int]:
        most = self.choose.choice([1, 2, 4, 8, most])
        ahead = self.outputs.get(sequence.id, [])[sequence.generated :][:most]
        any_token = self.choose.randrange(self.vocab_size)
        cut = self.choose.randrange(len(ahead) + 1)
        match self.choose.randrange(8):
            case 0:
                return []
            case 1 | 2:
                return self.foretold.get(sequence.id) or ahead
            case 3:
                return [any_token, *ahead]
            case 4:
                return [*ahead[:cut], any_token, *ahead[cut:]]
            case 5:
                return [*ahead, *(self.choose.randrange(self.vocab_size) for _ in range(most))]
            case 6:
                stops = sequence.request.submit.stop_tokens or [any_token]
                return [*ahead[:cut], self.choose.choice(stops), *ahead[cut:]]
        return self._looked_up(self.known[sequence.id], most)

    def _looked_up(self, tokens: list[int], most: int) -> list[int]:
        for at in range(len(tokens) - 3, 0, -1):
            if tokens[at - 1 : at + 1] == tokens[-2:]:
                return tokens[at + 1 : at + 1 + most]
        return []


def informed(outputs: Mapping[int, list[int]], vocab_size: int, seed: int) -> Speculation:
    choose = random.Random(seed)
    return Speculation(InformedDrafter(outputs, vocab_size, choose), WholeDrafts(choose.randrange))
