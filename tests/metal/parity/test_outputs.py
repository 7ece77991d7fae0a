"""Steps that say which rows are read behind the layers: those have the bits that they have in a whole step, and so has
what is kept of all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.cache import cache_groups
from mlxr.metal.operations import DeviceBatch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec, PerLayerEmbeddingSpec, PerLayerInputSpec
from mlxr.metal.weights import PerLayerEmbeddingWeights, PerLayerInputWeights
from tests.metal.backends import ALL, ALL_IDS, same_rows
from tests.metal.parity.test_attention import attention_of, spec_of, steps_of
from tests.metal.parity.test_operations import mlp_of
from tests.metal.parity.test_values import without
from tests.metal.tensors import Matrix, float_tensor, normal

WIDTH, TOKENS, SIZE, PAGE_SIZE, PAGES = 64, 40, 32, 16, 150
COUNTS = [[1, 1, 0, 0], [20, 3, 0, 41], [9, 1, 30, 1], [1, 1, 1, 1]]
"""Tokens of four sequences in each step. Of the first step, which a backend may note, and of the last all are read."""

Layers = Callable[[mx.array, DeviceBatch, Pool | None], mx.array]


def specs(kind: str) -> list[AttentionSpec]:
    wide = spec_of(head_dim=64)
    return [wide, replace(wide, window=9), *[replace(wide, kv_layer=0)] * (2 if kind == "shared" else 0)]


def layers_of(backend: Backend, kind: str) -> Layers:
    """``shared``: two layers behind the others read the first one's keys and values, and each has further inputs.
    ``parallel``: both halves of a layer read the same rows."""

    def weight(seed: int, rows: int, columns: int) -> Matrix:
        return normal(seed, rows, columns, scale=0.1)

    embed = backend.embedding(backend.weight(float_tensor(weight(1, TOKENS, WIDTH))), 8.0)
    number = len(specs(kind))
    further = backend.per_layer_embedding(
        PerLayerEmbeddingWeights(
            backend.table(float_tensor(weight(2, TOKENS, number * SIZE))),
            backend.weight(float_tensor(weight(3, number * SIZE, WIDTH))),
            mx.array(1 + normal(4, SIZE, scale=0.3)),
        ),
        PerLayerEmbeddingSpec(number, SIZE, WIDTH**-0.5, SIZE**0.5, 0.5**0.5, 1e-4),
    )
    mixers, halves, inputs = [], [], []
    for layer, spec in enumerate(specs(kind)):
        attention = attention_of(backend, spec, dressed=True)
        if layer > 1:
            attention = without(attention, "key", "value", "key_bias", "value_bias", "key_norm")
        mlp = mlp_of(backend, gated=True, dressed=True), MLPSpec(Activation.SILU)
        mix = backend.attention(attention, spec, layer)
        mixers.append(backend.parallel(mix, *mlp, layer) if kind == "parallel" else mix)
        halves.append(backend.feed_forward(*mlp))
        parts = (backend.weight(float_tensor(weight(layer, *shape))) for shape in ((SIZE, WIDTH), (WIDTH, SIZE)))
        inputs.append(
            backend.per_layer_input(
                PerLayerInputWeights(*parts, mx.array(1 + normal(7, WIDTH, scale=0.3)), None),
                PerLayerInputSpec(Activation.GELU_TANH, 1e-5),
                layer,
            )
        )

    def run(tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = embed(tokens)
        if kind == "shared":
            x, numbers = further(tokens, x)
        for mix, half, add in zip(mixers, halves, inputs, strict=True):
            x = mix(x, batch, pool)
            x = x if kind == "parallel" else half(x, batch)
            x = add(x, numbers) if kind == "shared" else x
        return x

    return run


def run_steps(backend: Backend, kind: str, outputs: Callable[[Batch], NDArray[np.int32] | None]) -> list[Matrix]:
    groups = cache_groups(group for number, spec in enumerate(specs(kind)) if (group := spec.cache(number)) is not None)
    pool = backend.pool(PoolSpec.even(groups, PAGES, PAGE_SIZE))
    forward, found = backend.compiled(layers_of(backend, kind)), []
    for number, batch in enumerate(steps_of(COUNTS, PAGE_SIZE, PAGES)):
        read = outputs(batch) if 0 < number < len(COUNTS) - 1 else None
        step = replace(batch, groups=batch.groups * len(groups), outputs=read)
        tokens = np.random.default_rng(number).integers(0, TOKENS, batch.tokens).astype(np.int32)
        hidden = forward(mx.array(tokens), step, pool)
        mx.eval([hidden, *backend.barrier(pool)])
        found.append(np.array(hidden))
    return found


def last(batch: Batch) -> NDArray[np.int32]:
    return (batch.query_starts[1:] - 1)[np.diff(batch.query_starts) > 0].astype(np.int32)


CHOICES: dict[str, Callable[[Batch], NDArray[np.int32]]] = {
    "last": last,
    "none": lambda batch: np.zeros(0, np.int32),
    "every third": lambda batch: np.arange(0, batch.tokens, 3, dtype=np.int32),
    "all": lambda batch: np.arange(batch.tokens, dtype=np.int32),
}


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("kind", ["plain", "shared", "parallel"])
@pytest.mark.parametrize("choice", CHOICES)
def test_rows_that_are_read_do_not_depend_on_whether_others_are(backend: Backend, kind: str, choice: str) -> None:
    whole, some = (run_steps(backend, kind, outputs) for outputs in (lambda batch: None, CHOICES[choice]))
    for batch, every, rows in zip(steps_of(COUNTS, PAGE_SIZE, PAGES)[1:-1], whole[1:-1], some[1:-1], strict=True):
        chosen = CHOICES[choice](batch)
        assert rows.shape == every.shape
        assert same_rows(backend, rows[chosen], every[chosen])
    assert same_rows(backend, some[-1], whole[-1])


@pytest.mark.parametrize("outputs", [[1, 1], [2, 0], [-1], [64]])
def test_outputs_are_tokens_of_the_step_in_their_order(outputs: list[int]) -> None:
    backend = ALL[1]
    if backend.name != "cpu":
        return
    batch = replace(steps_of(COUNTS, PAGE_SIZE, PAGES)[1], outputs=np.array(outputs, np.int32))
    with pytest.raises(ValueError, match="outputs"):
        backend.on_device(batch)
