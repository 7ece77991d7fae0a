"""A device with little memory: an allocation that fails costs the request that it is for, and nobody else a token.

Allocations fail as MLX's do: when arrays are computed, long after the call that asks for them.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import msgspec
import pytest

from mlxr.actors.executor import pool_size
from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.launched_step import LaunchedStep
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.pool_size import group_pages
from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.operations import Forward, Layers
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.bus import Address
from mlxr.runtime.messages.common import Message, sequence_id
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.executor.engines import LIMITS, no_vocabulary, prompt_of, small_pool
from tests.actors.executor.test_broken_steps import never_computed
from tests.actors.executor.test_promises import MODELS
from tests.actors.simulation import Engine

REQUESTS = 8
HUNGRY = 5
"""The number of the request whose prompt has ``GREEDY`` in it."""
GREEDY = 99
"""A token for which no device has the memory."""


class Scarce:
    """A backend on a device that has ``limit`` bytes for pages and for what a step works with, ``each`` for a token of
    it. ``refused``: how often something did not fit."""

    limit, each = 0, 0

    def __init__(self) -> None:
        super().__init__()
        self.refused = {"pages": 0, "steps": 0}
        self._taken = 0

    def pool(self, spec: PoolSpec) -> Pool:
        self._require(spec)
        return super().pool(spec)  # type: ignore[misc,no-any-return]

    def resize(self, pool: Pool, pages: Sequence[int]) -> None:
        self._require(pool.spec.sized(pages))
        super().resize(pool, pages)  # type: ignore[misc]

    def compiled(self, layers: Layers) -> Forward:
        forward: Forward = super().compiled(layers)  # type: ignore[misc]

        def run(tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
            hidden = forward(tokens, batch, pool)
            greedy = bool(mx.any(tokens == GREEDY).item())
            if self.limit and (greedy or self._taken + self.each * batch.tokens > self.limit):
                self.refused["steps"] += 1
                return hidden + never_computed()
            return hidden

        return run

    def _require(self, spec: PoolSpec) -> None:
        wanted = self.sizes.pool(spec)  # type: ignore[attr-defined]
        if self.limit and wanted > self.limit:
            self.refused["pages"] += 1
            raise RuntimeError(f"[malloc] Unable to allocate {wanted} bytes.")
        self._taken = wanted


class ScarceReference(Scarce, ReferenceBackend):
    """Whose rows are the same in any company."""


class Device:
    """The executor's own thread object behind a simulated engine: one step queued behind another."""

    def __init__(self, model: LoadedModel, backend: Backend, spec: PoolSpec, engine: Callable[[], Engine]) -> None:
        self._thread = DeviceThread(SimpleNamespace(engine="tiny", epoch=0), SimpleNamespace())  # type: ignore[arg-type]
        self._thread._reports._sender = SimpleNamespace(tell=self._told)  # type: ignore[assignment]
        self._thread._backend, self._thread._spec = backend, spec
        self._runner = ModelRunner(model, backend, spec, ConstraintTable(Compiler(no_vocabulary), 100), AdapterTable())
        self._previous: LaunchedStep | None = None
        self._engine = engine
        self.answers: deque[Message] = deque()

    def run(self, step: Step) -> None:
        if step.sizes and self._previous is not None:
            self.collect()
        self._previous = self._thread._advance(self._runner, step, 0, self._previous)

    def collect(self) -> None:
        if self._previous is not None:
            self._previous = self._thread._advance(self._runner, None, 0, self._previous)

    def _told(self, receiver: Address, message: Message) -> None:
        engine = self._engine()
        queue = engine.to_kv if receiver.kind == "kv" else engine.to_scheduler_from_executor
        queue.append(msgspec.msgpack.encode(message))


def engine_on(model: LoadedModel, backend: Backend, spec: PoolSpec, choose: Callable[[int], int]) -> Engine:
    def device() -> Any:
        return Device(model, backend, spec, lambda: engine)

    groups = group_pages(spec, backend.sizes, backend.lazy_pages)
    engine = Engine(LIMITS, 0, 0, choose, groups=groups, device=device)
    return engine


def soak(model: LoadedModel, backend: Backend, spec: PoolSpec) -> Engine:
    """Asks for everything, a little at a time, with some who leave; returns the engine at rest."""
    chance = random.Random(5)
    engine = engine_on(model, backend, spec, chance.randrange)
    for request in range(1, REQUESTS + 1):
        prompt = [token % GREEDY for token in prompt_of(4 + 37 * request % 61, request)]
        if request == HUNGRY:
            prompt[-2] = GREEDY
        engine.submit(request, prompt, 6, temperature=0.0)
        for _ in range(chance.randrange(40)):
            engine.move()
        if request % 7 == 0:
            engine.cancel(request)
    for _ in range(40_000):
        if not engine.move() and not any(queue for queue, _ in engine._queues()):
            return engine
    raise AssertionError("the engine never comes to rest")


STAYING = [request for request in range(1, REQUESTS + 1) if request % 7]


def test_who_asks_for_too_much_is_refused_and_everybody_else_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_size, "EXTENT_TOKENS", 32)
    backend = ScarceReference()
    model = load_model(MODELS["gemma3"](tmp_path / "m.gguf"), backend)
    spec = small_pool(model, 300)
    undisturbed = soak(model, backend, spec)
    assert all(isinstance(undisturbed.ended[request][0], RequestDone) for request in STAYING)

    whole = backend.sizes.pool(spec)
    backend.limit, backend.each = whole * 3 // 5, whole // 160
    short = soak(model, backend, spec)
    assert all(backend.refused.values()), "the device had enough"
    (refusal,) = short.ended[HUNGRY]
    assert isinstance(refusal, RequestFailed)
    assert "the step failed on the device" in refusal.error.message
    for request in STAYING:
        if request == HUNGRY:
            continue
        (done,) = short.ended[request]
        assert isinstance(done, RequestDone), done
        assert short.output[sequence_id(request, 0)] == undisturbed.output[sequence_id(request, 0)]
