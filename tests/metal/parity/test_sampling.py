"""Sampling of every backend draws what the written rules say, row by row."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from tests.metal.backends import ALL, ALL_IDS
from tests.metal.reference.test_sampling import VOCABULARY, batch_of
from tests.oracle.sampling import Row, may_draw

pytestmark = pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)

ROWS = st.builds(
    Row,
    temperature=st.sampled_from([0.0, 0.01, 0.7, 1.0, 5.0]),
    top_k=st.sampled_from([0, 1, 3, 39, 1000]),
    top_p=st.sampled_from([0.001, 0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.9]),
    typical_p=st.sampled_from([0.3, 0.95, 1.0]),
    repetition=st.sampled_from([1.0, 1.3]),
    presence=st.sampled_from([0.0, 0.5]),
    frequency=st.sampled_from([0.0, -0.2]),
    uniform=st.floats(0, 0.9990234375, width=32),
    history=st.lists(st.tuples(st.integers(0, VOCABULARY - 1), st.booleans()), max_size=8).map(tuple),
    bias=st.dictionaries(st.integers(0, VOCABULARY - 1), st.sampled_from([-100.0, 2.0]), max_size=3).map(
        lambda biases: tuple(biases.items())
    ),
)


def logits_of(seed: int, rows: int, vocabulary: int = VOCABULARY, scale: float = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, (rows, vocabulary)).astype(np.float32)


@given(rows=st.lists(ROWS, min_size=1, max_size=4), seed=st.integers(0, 1000))
@settings(max_examples=150, deadline=None)
def test_every_row_draws_what_the_rules_say(backend: Backend, rows: list[Row], seed: int) -> None:
    logits = logits_of(seed, len(rows))
    tokens = np.array(backend.sample(mx.array(logits), batch_of(rows)).tokens)
    for row, own, token in zip(rows, logits, tokens, strict=True):
        assert may_draw(own, row, int(token))


@pytest.mark.parametrize("vocabulary", [1, 31, 49152])
@pytest.mark.parametrize("scale", [0.0, 0.01, 2.0, 1e4])
def test_large_vocabularies_draw_the_same_as_the_reference(backend: Backend, vocabulary: int, scale: float) -> None:
    logits = mx.array(logits_of(1, 4, vocabulary, scale))
    rows = [
        Row(uniform=0.3),
        Row(uniform=0.9, top_k=50),
        Row(uniform=0.6, temperature=0),
        Row(uniform=0.2, temperature=0.5, top_k=7),
    ]
    ours = np.array(backend.sample(logits, batch_of(rows)).tokens)
    theirs = np.array(ReferenceBackend().sample(logits, batch_of(rows)).tokens)
    if scale != 0.01:
        assert np.array_equal(ours[1:], theirs[1:])
    # Half of all tokens lie below the draw of a flat distribution, and float32 sums of so many differ.
    assert abs(int(ours[0]) - int(theirs[0])) <= (vocabulary // 100 if scale == 0 else vocabulary)


class Refusing:
    """Forbids tokens, and remembers what it was asked."""

    def __init__(self, refused: set[int], rows: int) -> None:
        self.refused = refused
        self.rows = rows
        self.asked: list[list[int]] = []

    def forbidden(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
        self.asked.append(tokens)
        return [(row, self.masks()[row]) for row, token in enumerate(tokens) if token in self.refused]

    def masks(self) -> NDArray[np.int32]:
        bits = np.array([token not in self.refused for token in range(-(-VOCABULARY // 32) * 32)])
        return np.tile(np.packbits(bits, bitorder="little").view(np.int32), (self.rows, 1))


def test_a_validator_leaves_the_masked_distribution(backend: Backend) -> None:
    rows, forbidden = 4000, {0, 3, 4}
    logits = logits_of(5, 1, scale=1)
    numbers = np.random.default_rng(6).random(rows, np.float32)
    batch = batch_of([Row(temperature=1.0, uniform=float(number)) for number in numbers])
    held = replace(batch, validator=Refusing(forbidden, rows))
    tokens = np.array(backend.sample(mx.array(np.repeat(logits, rows, axis=0)), held).tokens)
    weights = np.exp(logits[0])
    weights[list(forbidden)] = 0
    expected = weights / weights.sum() * rows
    counts = np.bincount(tokens, minlength=VOCABULARY)
    kept = expected > 5
    # Pearson's statistic has its number of classes as its mean; five deviations above it are as good as never met.
    statistic = float(((counts[kept] - expected[kept]) ** 2 / expected[kept]).sum())
    assert counts[list(forbidden)].sum() == 0
    assert statistic < kept.sum() + 5 * np.sqrt(2 * kept.sum())


def test_the_first_of_equal_maxima_wins(backend: Backend) -> None:
    logits = np.zeros((2, 100), np.float32)
    logits[0, [17, 40, 99]] = 5
    tokens = backend.sample(mx.array(logits), batch_of([Row(temperature=0), Row(temperature=0)])).tokens
    assert np.array(tokens).tolist() == [17, 0]


def test_rows_without_a_finite_best_logit_get_no_token(backend: Backend) -> None:
    logits = logits_of(2, 3)
    logits[0, 5], logits[1, :], logits[2, 3] = np.nan, -np.inf, np.inf
    for temperature in (0.0, 1.0):
        tokens = backend.sample(mx.array(logits), batch_of([Row(temperature=temperature)] * 3)).tokens
        assert np.array(tokens).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("alternatives", [0, 1, 5, 40])
def test_log_probabilities_agree_and_a_greedy_token_s_is_the_best_alternative_s(
    backend: Backend, alternatives: int
) -> None:
    logits = mx.array(logits_of(3, 3))
    rows = [Row(temperature=0), Row(temperature=0, allowed=frozenset({3})), Row(uniform=0.9)]
    ours = backend.sample(logits, batch_of(rows, alternatives))
    theirs = ReferenceBackend().sample(logits, batch_of(rows, alternatives))
    assert ours.logprobs is not None
    assert np.allclose(np.array(ours.logprobs), np.array(theirs.logprobs), atol=1e-5)
    if not alternatives:
        assert ours.top_tokens is None
        return
    assert ours.top_logprobs is not None
    assert np.array_equal(np.array(ours.top_tokens), np.array(theirs.top_tokens))
    assert np.allclose(np.array(ours.top_logprobs), np.array(theirs.top_logprobs), atol=1e-5)
    assert float(ours.logprobs[0]) == float(ours.top_logprobs[0, 0])


def test_given_tokens_get_their_log_probabilities(backend: Backend) -> None:
    logits, targets = mx.array(logits_of(4, 3)), mx.array([0, 39, 7], mx.int32)
    ours, theirs = backend.token_logprobs(logits, targets, 2), ReferenceBackend().token_logprobs(logits, targets, 2)
    assert np.array_equal(np.array(ours.tokens), np.array(targets))
    assert np.allclose(np.array(ours.logprobs), np.array(theirs.logprobs), atol=1e-5)
    assert np.array_equal(np.array(ours.top_tokens), np.array(theirs.top_tokens))
