"""Requests for tests of the scheduler: prompts, and what must become of them."""

from __future__ import annotations

from collections import Counter

from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.submission import choice_sampling
from mlxr.runtime.messages.common import Adapter, Sampling, sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from tests.actors.simulated_device import expected
from tests.actors.simulation import Engine

POOL = [GroupPages(CacheKind.FULL, 100, 4)]
SMALL = Limits(token_budget=16, prefill_chunk=4, max_sequences=6, max_waiting=100, max_adapters=2)
ADAPTERS: list[list[Adapter]] = [
    [],
    [Adapter("a", digest="a")],
    [Adapter("b", 0.5, "b")],
    [Adapter("a", digest="a"), Adapter("b", digest="b")],
    [Adapter("c", digest="c"), Adapter("a", -1.0, "a")],
]
"""Of different requests: more than there are places for."""


def prompt_of(length: int, kind: int = 1) -> list[int]:
    return [(i * 7 + kind * 13) % 90 + 1 for i in range(length)]


def check(engine: Engine, request: int, prompt: list[int], max_tokens: int, n: int = 1, seed: int = 7) -> None:
    for index in range(n):
        own = choice_sampling(Sampling(seed=seed), index).seed
        assert engine.output[sequence_id(request, index)] == expected(prompt, own, max_tokens)


def running(engine: Engine) -> Counter[str]:
    return Counter(sequence.client for sequence in engine.scheduler.lifecycle.running)


def moves(engine: Engine, count: int) -> None:
    for _ in range(count):
        engine.move()
