"""Products, norms and feed-forward of every backend of this machine, held against the reference in plain MLX."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.affine import BITS
from mlxr.metal.backend import Backend
from mlxr.metal.codebooks import CODEBOOK_TYPES
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, MLPSpec, NormKind
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import MLPWeights
from tests.metal.backends import BACKENDS, IDS, slack
from tests.metal.tensors import float_tensor, normal, random_affine, random_tensor

REFERENCE = ReferenceBackend()
ROW_COUNTS = (0, 1, 2, 5, 33)
REQUANTIZED = (TensorType.Q2_K, TensorType.Q3_K, TensorType.Q6_K, TensorType.FP8_E4M3, TensorType.NF4)
"""Types that MLX's layout holds only nearly, in 8 bits."""


def requantized(type: TensorType) -> int:
    """How much further off such a type may be; in random blocks of few bits scales differ more than a model's."""
    return 120 if type in CODEBOOK_TYPES else 70 if type in REQUANTIZED else 0


pytestmark = pytest.mark.parametrize("backend", BACKENDS, ids=IDS)


def relative(out: mx.array, expected: mx.array) -> float:
    """Root mean square of the difference over that of what was expected."""
    difference = np.array(out, np.float64) - np.array(expected, np.float64)
    return float(np.sqrt((difference**2).mean() / (np.array(expected, np.float64) ** 2).mean()))


@pytest.mark.parametrize("type", list(TensorType))
@pytest.mark.parametrize("outputs", [1, 37, 256])
def test_a_product_with_any_type_agrees(backend: Backend, type: TensorType, outputs: int) -> None:
    tensor = random_tensor(type, outputs, 512, np.random.default_rng(1))
    reference, bias = REFERENCE.weight(tensor), mx.array(normal(2, outputs))
    multiply, truth = backend.linear(backend.weight(tensor), bias), REFERENCE.linear(reference, bias)
    for rows in ROW_COUNTS:
        x = mx.array(normal(rows, rows, 512))
        out = multiply(x)
        assert out.shape == (rows, outputs)
        if rows:
            expected = np.array(truth(x))
            difference = np.array(out) - expected
            # As large as a sum of that many random products is; 16-bit integer activations take some millionths of it.
            sums = np.sqrt((np.array(reference.handle) ** 2).sum(axis=1).mean() * (np.array(x) ** 2).mean())
            size = max(sums, np.sqrt((expected**2).mean()))
            assert np.sqrt((difference**2).mean()) < 1e-4 * slack(backend, requantized(type) or 20) * size


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group", [32, 64, 128])
def test_affine_codes_of_any_bits_and_groups_agree(backend: Backend, bits: int, group: int) -> None:
    tensor = random_affine(bits, group, 37, 512, np.random.default_rng(1))
    multiply, truth = (one.linear(one.weight(tensor)) for one in (backend, REFERENCE))
    x = mx.array(normal(3, 5, 512))
    assert relative(multiply(x), truth(x)) < 1e-4 * slack(backend, 20)
    table = backend.embedding(backend.weight(tensor))
    tokens = mx.array([0, 36, 7])
    assert relative(table(tokens), REFERENCE.embedding(REFERENCE.weight(tensor))(tokens)) < 1e-6


@pytest.mark.parametrize("per_row", [False, True])
def test_nvfp4_with_one_more_scale_agrees(backend: Backend, per_row: bool) -> None:
    plain = random_tensor(TensorType.NVFP4, 37, 512, np.random.default_rng(1))
    scale = np.random.default_rng(2).uniform(0.001, 0.1, 37 if per_row else ()).astype(np.float32)
    tensor = replace(plain, extras={"scale": np.asarray(scale)})
    multiply, truth = (one.linear(one.weight(tensor)) for one in (backend, REFERENCE))
    x = mx.array(normal(3, 5, 512))
    assert relative(multiply(x), truth(x)) < 5e-4 * slack(backend, 15)


@pytest.mark.parametrize("type", list(TensorType))
def test_an_embedding_of_any_type_is_the_file_s_own_numbers(backend: Backend, type: TensorType) -> None:
    tensor = random_tensor(type, 50, 256, np.random.default_rng(3))
    tokens = mx.array([0, 49, 7, 7], mx.int32)
    out = backend.embedding(backend.table(tensor), 2.0)(tokens)
    expected = REFERENCE.embedding(REFERENCE.weight(tensor), 2.0)(tokens)
    assert relative(out, expected) < 1e-7 * slack(backend, 1000 * requantized(type) or 4_000)


def test_ids_beyond_the_table_read_nothing(backend: Backend) -> None:
    table = np.ones((6, 64), np.float32)
    tokens = mx.array([-1, 0, 5, 6, 7, 1 << 20, (1 << 31) - 1, -(1 << 31)], mx.int32)
    for one in (backend, REFERENCE):
        rows = np.array(one.embedding(one.weight(float_tensor(table)))(tokens))
        assert rows[:, 0].tolist() == [0, 1, 1, 0, 0, 0, 0, 0]
        assert (rows == rows[:, :1]).all()


@pytest.mark.parametrize("magnitude", [1e-40, 1e-20, 1.0, 1e12])
def test_norms_agree_from_denormals_to_huge_rows(backend: Backend, magnitude: float) -> None:
    for width in (1, 7, 64, 100):
        x = mx.array((normal(width, 3, width) * magnitude).astype(np.float32))
        scale, bias = mx.array(normal(1, width)), mx.array(normal(2, width))
        ours, theirs = (own.rms_norm(scale, 1e-5)(x) for own in (backend, REFERENCE))
        assert np.allclose(np.array(ours), np.array(theirs), rtol=1e-4, atol=1e-6)
        if width > 1:
            for shift in (bias, None):
                ours, theirs = (own.layer_norm(scale, shift, 1e-5)(x) for own in (backend, REFERENCE))
                assert np.allclose(np.array(ours), np.array(theirs), rtol=1e-3, atol=1e-5)


def mlp_of(backend: Backend, gated: bool, dressed: bool) -> MLPWeights:
    def weight(seed: int, outputs: int, inputs: int) -> Any:
        return backend.weight(float_tensor(normal(seed, outputs, inputs, scale=0.2)))

    vector = {name: mx.array(normal(9, size)) for name, size in (("norm", 64), ("post_norm", 64), ("up_bias", 96))}
    if gated:
        vector["gate_bias"] = mx.array(normal(8, 96))
    return MLPWeights(
        up=weight(1, 96, 64),
        down=weight(2, 64, 96),
        gate=weight(3, 96, 64) if gated else None,
        **(vector if dressed else {}),
    )


@pytest.mark.parametrize(
    ("activation", "gated"),
    [(a, gated) for a in Activation for gated in (True, False) if gated or a is not Activation.SWIGLU_OAI],
)
@pytest.mark.parametrize("dressed", [True, False])
def test_mlp_halves_agree(backend: Backend, activation: Activation, gated: bool, dressed: bool) -> None:
    spec = MLPSpec(activation)
    ours, theirs = (own.feed_forward(mlp_of(own, gated, dressed), spec) for own in (backend, REFERENCE))
    assert ours(mx.zeros((0, 64))).shape == (0, 64)
    for rows in (1, 3, 300):
        x = mx.array(normal(rows, rows, 64, scale=3))
        assert relative(ours(x), theirs(x)) < 1e-5 * slack(backend, 100)


def test_a_layer_norm_may_stand_before_the_mlp(backend: Backend) -> None:
    spec, bias = MLPSpec(Activation.SILU, norm=NormKind.LAYER), mx.array(normal(4, 64))
    for shift in (bias, None):
        run, expected = (
            own.feed_forward(replace(mlp_of(own, True, True), norm_bias=shift), spec) for own in (backend, REFERENCE)
        )
        x = mx.array(normal(5, 3, 64, scale=3))
        assert relative(run(x), expected(x)) < 1e-5 * slack(backend, 100)


def test_logits_of_chosen_rows_agree(backend: Backend) -> None:
    tensor, norm = random_tensor(TensorType.Q8_0, 300, 64, np.random.default_rng(5)), mx.array(normal(6, 64))
    x, rows = mx.array(normal(7, 9, 64)), mx.array([8, 0, 3], mx.int32)
    for norm_bias, bias in ((None, None), (mx.array(normal(8, 64)), mx.array(normal(9, 300)))):
        out, expected = (
            own.head(own.weight(tensor), norm, 1e-5, kind=NormKind.LAYER, norm_bias=norm_bias, bias=bias)(x, rows)
            for own in (backend, REFERENCE)
        )
        assert relative(out, expected) < 1e-4 * slack(backend, 10)
    for softcap in (0.0, 5.0):
        out, expected = (own.head(own.weight(tensor), norm, 1e-5, softcap)(x, rows) for own in (backend, REFERENCE))
        assert relative(out, expected) < 1e-4 * slack(backend, 10)


def test_what_a_user_gets_wrong_is_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match="odd"):
        backend.weight(
            replace(random_tensor(TensorType.Q4_0, 2, 64, np.random.default_rng(0)), name="odd", shape=(2, 33, 1))
        )
