"""Of a step of many tokens, a few layers are queued ahead of the device, however many the model has."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.mlx import run_ahead
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.run_ahead import MOST
from mlxr.metal.specs import Activation, MLPSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import MLPWeights
from tests.metal.tensors import random_tensor

LAYERS = 9


def waited_for(rows: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For each layer that was waited for, how many had been queued by then."""
    backend = MlxBackend(replace(WAYS["cpu"], dense_rows=8))
    up, down = (backend.weight(random_tensor(TensorType.Q8_0, 64, 64, np.random.default_rng(seed))) for seed in (0, 1))
    half = backend.feed_forward(MLPWeights(up, down), MLPSpec(Activation.SILU))
    x = mx.zeros((rows, 64))
    queued: list[mx.array] = []
    waits: list[int] = []
    monkeypatch.setattr(run_ahead.mx, "async_eval", queued.append)
    monkeypatch.setattr(run_ahead.mx, "eval", lambda x: waits.append(len(queued)))
    for _ in range(LAYERS):
        x = half(x)
    assert len(queued) == (LAYERS if rows >= 8 else 0)
    return waits


def test_a_prompt_s_layers_wait_for_those_a_few_before(monkeypatch: pytest.MonkeyPatch) -> None:
    backend_waits = [wait for wait in waited_for(8, monkeypatch) if wait]
    assert backend_waits == list(range(MOST + 1, LAYERS + 1))


def test_a_step_of_few_tokens_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(waited_for(7, monkeypatch))


def test_nothing_waits_for_layers_of_a_step_that_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = MlxBackend(replace(WAYS["cpu"], dense_rows=8))
    up, down = (backend.weight(random_tensor(TensorType.Q8_0, 64, 64, np.random.default_rng(seed))) for seed in (0, 1))
    half = backend.feed_forward(MLPWeights(up, down), MLPSpec(Activation.SILU))
    broken = half(mx.zeros((8, 64)))
    backend.forget_steps()
    waited: list[mx.array] = []
    monkeypatch.setattr(run_ahead.mx, "eval", waited.append)
    for _ in range(MOST + 1):
        half(mx.zeros((8, 64)))
    assert len(waited) == 1
    assert waited[0] is not broken
