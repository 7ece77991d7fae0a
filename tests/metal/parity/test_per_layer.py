"""Per-layer embeddings: every backend adds to each layer what the reference adds, a row by itself as in company."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.specs import Activation, MLPSpec, PerLayerEmbeddingSpec, PerLayerInputSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import MLPWeights, PerLayerEmbeddingWeights, PerLayerInputWeights, Weight
from tests.metal.backends import ALL, ALL_IDS, BACKENDS, IDS, same_rows, slack
from tests.metal.tensors import Matrix, float_tensor, normal, random_tensor

WIDTH, LAYERS, SIZE, TOKENS = 64, 4, 32, 50
REFERENCE = ReferenceBackend()
EMBEDDING = PerLayerEmbeddingSpec(LAYERS, SIZE, WIDTH**-0.5, SIZE**0.5, 0.5**0.5, 1e-4)
INPUT = PerLayerInputSpec(Activation.GELU_TANH, 1e-5)


def run(backend: Backend, type: TensorType, tokens: list[int]) -> Matrix:
    """Rows of an embedding through the per-layer inputs of the layers 2 and 0, a perceptron between them."""

    scale = 0.1 if type is TensorType.F32 else 0.003

    def weight(seed: int, rows: int, columns: int) -> Weight:
        return backend.weight(random_tensor(type, rows, columns, np.random.default_rng(seed), scale))

    ids = mx.array(np.array(tokens, np.int32))
    start = backend.embedding(weight(1, TOKENS, WIDTH), 8.0)
    table = backend.table(random_tensor(type, TOKENS, LAYERS * SIZE, np.random.default_rng(2), scale))
    whole = PerLayerEmbeddingWeights(table, weight(3, LAYERS * SIZE, WIDTH), mx.array(1 + normal(4, SIZE, scale=0.3)))
    layers = []
    for layer, factor in ((2, mx.array([0.25])), (0, None)):
        parts = weight(5 + layer, SIZE, WIDTH), weight(6 + layer, WIDTH, SIZE)
        norm = mx.array(1 + normal(7, WIDTH, scale=0.3))
        layers.append(backend.per_layer_input(PerLayerInputWeights(*parts, norm, factor), INPUT, layer))
    mlp = MLPWeights(weight(8, 96, WIDTH), weight(9, WIDTH, 96), weight(10, 96, WIDTH), output_scale=mx.array([1.5]))
    between = backend.feed_forward(mlp, MLPSpec(Activation.GELU_TANH))
    x, inputs = backend.per_layer_embedding(whole, EMBEDDING)(ids, start(ids))
    return np.array(layers[1](between(layers[0](x, inputs)), inputs))


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("type", [TensorType.F32, TensorType.Q8_0, TensorType.Q4_1, TensorType.Q5_0])
def test_further_inputs_agree(backend: Backend, type: TensorType) -> None:
    for tokens in ([7], [3, 3, 49], list(range(50)) * 7):
        ours, theirs = run(backend, type, tokens), run(REFERENCE, type, tokens)
        assert np.abs(ours - theirs).max() < 2e-4 * slack(backend, 50) * np.abs(theirs).max()


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_layer_adds_what_the_formula_says(backend: Backend) -> None:
    tokens = [5, 0, 49, 5]
    seeded = [
        dequantize(random_tensor(TensorType.F32, rows, columns, np.random.default_rng(seed), 0.03)).astype(np.float64)
        for seed, rows, columns in ((1, TOKENS, WIDTH), (2, TOKENS, LAYERS * SIZE), (3, LAYERS * SIZE, WIDTH))
    ]
    embedding, table, projection = (m.reshape(-1, m.shape[-1]) for m in seeded)
    ids = mx.array(np.array(tokens, np.int32))
    weights = PerLayerEmbeddingWeights(
        backend.table(float_tensor(table.astype(np.float32))),
        backend.weight(float_tensor(projection.astype(np.float32))),
        mx.ones(SIZE),
    )
    start = backend.embedding(backend.weight(float_tensor(embedding.astype(np.float32))), 8.0)
    identity = np.eye(SIZE, WIDTH, dtype=np.float32)
    part = PerLayerInputWeights(
        backend.weight(float_tensor(identity)), backend.weight(float_tensor(identity.T.copy())), mx.ones(WIDTH)
    )
    x, inputs = backend.per_layer_embedding(weights, EMBEDDING)(ids, start(ids))
    out = np.array(backend.per_layer_input(part, PerLayerInputSpec(Activation.SILU, 0.0), 1)(x, inputs))

    rows = embedding[tokens] * 8.0
    projected = (rows @ projection.T / 8.0)[:, SIZE : 2 * SIZE]
    normed = projected / np.sqrt((projected**2).mean(axis=1, keepdims=True) + EMBEDDING.norm_eps)
    numbers = (normed + table[tokens, SIZE : 2 * SIZE] * SIZE**0.5) / 2**0.5
    hidden = np.zeros((4, WIDTH))
    hidden[:, :SIZE] = rows[:, :SIZE] / (1 + np.exp(-rows[:, :SIZE])) * numbers
    expected = rows + hidden / np.sqrt((hidden**2).mean(axis=1, keepdims=True))
    assert np.abs(out - expected).max() < 1e-5 * slack(backend, 300) * np.abs(expected).max()


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
def test_a_row_gets_alone_what_it_gets_in_company(backend: Backend) -> None:
    together = run(backend, TensorType.Q8_0, list(range(40)))
    for token in (0, 17, 39):
        alone = run(backend, TensorType.Q8_0, [token])
        if backend.name == "mlx":
            assert np.abs(alone[0] - together[token]).max() < 1e-2 * np.abs(together).max()
        else:
            assert same_rows(backend, alone[0], together[token])


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_token_outside_the_table_counts_as_the_first(backend: Backend) -> None:
    table = backend.table(random_tensor(TensorType.F32, 3, LAYERS * SIZE, np.random.default_rng(2), 0.03))
    rows = backend.embedding(backend.weight(float_tensor(np.ones((9, WIDTH), np.float32))))
    projection = backend.weight(float_tensor(normal(3, LAYERS * SIZE, WIDTH)))
    embed = backend.per_layer_embedding(PerLayerEmbeddingWeights(table, projection, mx.ones(SIZE)), EMBEDDING)
    parts = backend.weight(float_tensor(normal(4, SIZE, WIDTH))), backend.weight(float_tensor(normal(5, WIDTH, SIZE)))
    add = backend.per_layer_input(PerLayerInputWeights(*parts, mx.ones(WIDTH)), INPUT, 3)
    ids = mx.array([0, 8, 1])
    out = np.array(add(*embed(ids, rows(ids))))
    assert np.array_equal(out[0], out[1])
    assert not np.array_equal(out[0], out[2])


def test_the_reference_keeps_the_table_in_its_file_s_own_bits() -> None:
    tensor = random_tensor(TensorType.Q4_K, 40, 512, np.random.default_rng(1))
    assert REFERENCE.table(tensor).nbytes == tensor.nbytes
