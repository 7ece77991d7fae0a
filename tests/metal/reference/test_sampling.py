"""Sampling many rows at once gives each row what it would get alone, by the written rules."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlxr.metal.reference.sampling import sample, token_logprobs
from mlxr.metal.sampling import SamplingBatch
from tests.oracle.sampling import Row, may_draw

VOCABULARY = 40


def batch_of(rows: list[Row], logprobs: int | None = None) -> SamplingBatch:
    width = max(len(row.history) for row in rows)
    history = np.full((len(rows), width), -1, np.int32)
    generated = np.zeros((len(rows), width), np.bool_)
    for index, row in enumerate(rows):
        for at, (token, own) in enumerate(row.history):
            history[index, at], generated[index, at] = token, own
    bias = [(index, token, value) for index, row in enumerate(rows) for token, value in row.bias]
    return SamplingBatch(
        temperature=np.array([row.temperature for row in rows], np.float32),
        top_k=np.array([row.top_k for row in rows], np.int32),
        top_p=np.array([row.top_p for row in rows], np.float32),
        min_p=np.array([row.min_p for row in rows], np.float32),
        typical_p=np.array([row.typical_p for row in rows], np.float32),
        repetition_penalty=np.array([row.repetition for row in rows], np.float32),
        presence_penalty=np.array([row.presence for row in rows], np.float32),
        frequency_penalty=np.array([row.frequency for row in rows], np.float32),
        uniform=np.array([row.uniform for row in rows], np.float32),
        history=history if width else None,
        generated=generated if width else None,
        bias_rows=np.array([b[0] for b in bias], np.int32) if bias else None,
        bias_tokens=np.array([b[1] for b in bias], np.int32) if bias else None,
        bias_values=np.array([b[2] for b in bias], np.float32) if bias else None,
        validator=Masks(mask_of(rows)) if any(row.allowed is not None for row in rows) else None,
        logprobs=logprobs,
    )


class Masks:
    """Allows each row the tokens of its mask."""

    def __init__(self, masks: NDArray[np.int32]) -> None:
        self._masks = masks

    def forbidden(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
        return [(row, self._masks[row]) for row, token in enumerate(tokens) if not self._allows(row, token)]

    def masks(self) -> NDArray[np.int32]:
        return self._masks

    def _allows(self, row: int, token: int) -> bool:
        return token >= 0 and bool(self._masks[row, token // 32] >> token % 32 & 1)


def mask_of(rows: list[Row]) -> NDArray[np.int32]:
    bits = np.ones((len(rows), -(-VOCABULARY // 32) * 32), np.uint8)
    for index, row in enumerate(rows):
        if row.allowed is not None:
            bits[index] = [token in row.allowed for token in range(bits.shape[1])]
    return np.packbits(bits, axis=1, bitorder="little").view("<i4")


def drawn(logits: NDArray[np.float32], rows: list[Row]) -> list[int]:
    return sample(mx.array(logits), batch_of(rows)).tokens.tolist()


share = st.floats(1 / 64, 1.0, width=32)
token = st.integers(0, VOCABULARY - 1)
row_settings = st.builds(
    Row,
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.0]),
    top_k=st.integers(0, VOCABULARY + 5),
    top_p=st.just(1.0) | share,
    min_p=st.just(0.0) | st.floats(0.0, 1.0, width=32),
    typical_p=st.just(1.0) | share,
    repetition=st.sampled_from([0.8, 1.0, 1.3]),
    presence=st.sampled_from([-1.0, 0.0, 0.7]),
    frequency=st.sampled_from([-0.5, 0.0, 0.4]),
    uniform=st.floats(0.0, 1.0, width=32, exclude_max=True),
    history=st.lists(st.tuples(token, st.booleans()), max_size=6).map(tuple),
    bias=st.dictionaries(token, st.sampled_from([-100.0, 1.5, 5.0]), max_size=3).map(lambda d: tuple(d.items())),
    allowed=st.none() | st.frozensets(token, min_size=1, max_size=8),
)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(row_settings, min_size=1, max_size=5), seed=st.integers(0, 1000))
def test_every_row_draws_what_the_rules_say(rows: list[Row], seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 2, (len(rows), VOCABULARY)).astype(np.float32)
    for values, row, chosen in zip(logits, rows, drawn(logits, rows), strict=True):
        assert may_draw(values, row, chosen)


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(row_settings, min_size=2, max_size=6), seed=st.integers(0, 1000))
def test_a_row_draws_the_same_alone_and_in_company(rows: list[Row], seed: int) -> None:
    logits = np.random.default_rng(seed).normal(0, 2, (len(rows), VOCABULARY)).astype(np.float32)
    alone = [drawn(logits[i : i + 1], [row])[0] for i, row in enumerate(rows)]
    assert drawn(logits, rows) == alone


def test_uniform_numbers_draw_tokens_in_proportion_to_their_probability() -> None:
    probabilities = np.array([0.1, 0.4, 0.2, 0.3])
    rows = [Row(uniform=u) for u in np.arange(0.005, 1, 0.01)]
    logits = np.tile(np.log(probabilities), (100, 1)).astype(np.float32)
    assert np.bincount(drawn(logits, rows)).tolist() == [10, 40, 20, 30]


def test_equal_candidates_come_in_the_order_of_their_ids() -> None:
    logits = np.zeros((4, 4), np.float32)
    assert drawn(logits, [Row(uniform=u) for u in (0.1, 0.3, 0.6, 0.9)]) == [0, 1, 2, 3]
    assert drawn(logits[:1], [Row(top_k=2, uniform=0.9)]) == [1]
    assert drawn(logits[:1], [Row(temperature=0.0)]) == [0]


def test_a_very_low_temperature_is_as_good_as_greedy() -> None:
    logits = np.array([[300.0, 299.0, -300.0]], np.float32)
    assert drawn(logits, [Row(temperature=1e-38, uniform=0.99)]) == [0]


def test_a_row_without_a_finite_best_logit_gets_no_token_and_harms_no_other() -> None:
    logits = np.zeros((4, 40), np.float32)
    logits[0, 3], logits[1, 5], logits[3, 7] = np.nan, np.inf, 1
    rows = [Row(), Row(temperature=0.0), Row(allowed=frozenset()), Row(temperature=0.0)]
    assert drawn(logits, rows) == [-1, -1, -1, 7]


def test_log_probabilities_are_those_of_the_raw_logits() -> None:
    logits = np.array([[1.0, 3.0, 2.0, 3.0]], np.float32)
    rows = sample(mx.array(logits), batch_of([Row(temperature=0.0, bias=((0, 50.0),))], logprobs=3))
    expected = logits[0] - np.log(np.exp(logits[0]).sum())
    assert rows.tokens.tolist() == [0]
    assert np.array(rows.logprobs) == pytest.approx(expected[:1], abs=1e-6)
    assert rows.top_tokens is not None
    assert rows.top_tokens.tolist() == [[1, 3, 2]]
    assert np.array(rows.top_logprobs)[0] == pytest.approx(expected[[1, 3, 2]], abs=1e-6)


def test_no_alternatives_are_computed_where_none_are_wanted() -> None:
    logits = mx.array([[1.0, 3.0]])
    assert sample(logits, batch_of([Row()])).logprobs is None
    rows = sample(logits, batch_of([Row()], logprobs=0))
    assert rows.logprobs is not None
    assert rows.top_tokens is None


def test_given_tokens_get_their_log_probabilities() -> None:
    rows = token_logprobs(mx.array([[0.0, 0.0], [0.0, np.log(3.0)]]), mx.array([0, 1]), 1)
    assert np.array(rows.logprobs) == pytest.approx(np.log([0.5, 0.75]), abs=1e-6)
    assert rows.top_tokens is not None
    assert rows.top_tokens.tolist() == [[0], [1]]


def test_ids_beyond_the_vocabulary_touch_nothing_and_count_as_its_last() -> None:
    beyond = (VOCABULARY, 1 << 20, (1 << 31) - 1)
    logits = np.random.default_rng(3).normal(size=(2, VOCABULARY)).astype(np.float32)
    plain = Row(temperature=0.0)
    wild = Row(
        temperature=0.0,
        repetition=5.0,
        presence=3.0,
        history=tuple((token, True) for token in beyond),
        bias=tuple((token, 100.0) for token in beyond),
    )
    assert drawn(logits, [plain, wild]) == logits.argmax(axis=-1).tolist()
    given = token_logprobs(mx.array(logits), mx.array([1 << 20, -5], mx.int32), 0)
    expected = token_logprobs(mx.array(logits), mx.array([VOCABULARY - 1, 0], mx.int32), 0)
    assert given.logprobs is not None
    assert expected.logprobs is not None
    assert given.logprobs.tolist() == expected.logprobs.tolist()
