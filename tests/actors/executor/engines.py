"""Engines whose device is the executor's own runner over a real model, and what they are asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mlx.core as mx
import numpy as np

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.pool_size import PoolSizes, group_pages, pool_spec
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.models.constraints import Vocabulary
from mlxr.models.loading import LoadedModel
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.scheduler import StepDone
from tests.actors.simulated_device import STOP_TOKEN
from tests.actors.simulation import Engine
from tests.oracle.fidelity import run_chunks

LIMITS = Limits(token_budget=16, prefill_chunk=8, max_sequences=6, max_waiting=100)
PAGE = 4
GENERATED = 16


@dataclass
class Runner:
    """The executor's runner as a simulated engine takes it: one step after another."""

    runner: ModelRunner

    def run(self, step: Step) -> StepDone:
        launched = self.runner.launch(step, 0)
        self.runner.sample(launched)
        return self.runner.finish(launched)

    def collect(self) -> StepDone | None:
        return None


def engine_of(model: Any, backend: Backend, spec: PoolSpec, speculation: Speculation | None = None) -> Engine:
    def device() -> Runner:
        constraints = ConstraintTable(Compiler(no_vocabulary), 100)
        return Runner(ModelRunner(model, backend, spec, constraints, AdapterTable()))

    groups = group_pages(spec, backend.sizes, backend.lazy_pages)
    return Engine(LIMITS, 0, 0, groups=groups, device=device, speculation=speculation)


def no_vocabulary() -> Vocabulary:
    raise AssertionError("nothing is constrained here")


def prompt_of(length: int, kind: int) -> list[int]:
    return np.random.default_rng(kind).integers(1, 100, length).tolist()


def said(engine: Engine, request: int, choice: int = 0) -> list[int]:
    return engine.output[sequence_id(request, choice)]


def ask(engine: Engine, request: int, prompt: list[int], n: int = 1) -> None:
    engine.submit(request, prompt, GENERATED, n=n, temperature=0.0)


def small_pool(model: LoadedModel, tokens: int) -> PoolSpec:
    sizes = PoolSizes(PAGE, tokens, model.context_length, budget=0, longest_row=LIMITS.token_budget)
    return pool_spec(model.cache_groups, sizes, PoolSpec.numbers)


def computed_anew(model: LoadedModel, backend: Backend, prompt: list[int]) -> list[int]:
    """The greedy answer, every token of it by a forward pass over all before, of which no page is ever given back."""
    tokens = list(prompt)
    while len(tokens) < len(prompt) + GENERATED:
        hidden = run_chunks(model, backend, tokens, len(tokens), PAGE)
        tokens.append(int(mx.argmax(model.logits(hidden, mx.array([len(tokens) - 1]))).item()))
        if tokens[-1] == STOP_TOKEN:
            break
    return tokens[len(prompt) :]
