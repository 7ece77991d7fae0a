"""The native backend draws a row first and asks then whether its token is allowed."""

from __future__ import annotations

import sys
from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.metal.parity.test_sampling import Refusing, logits_of
from tests.metal.reference.test_sampling import batch_of
from tests.oracle.sampling import Row

pytestmark = pytest.mark.parametrize("backend", NATIVE, ids=NATIVE_IDS)


def test_only_rows_whose_token_is_forbidden_are_drawn_again(backend: Backend) -> None:
    logits = logits_of(4, 3)
    logits[0, 7], logits[1, 9], logits[2, 7] = 99, 99, 99
    validator = Refusing({7}, 3)
    greedy = batch_of([Row(temperature=0.0)] * 3)
    tokens = np.array(backend.sample(mx.array(logits), replace(greedy, validator=validator)).tokens)
    assert validator.asked == [[7, 9, 7]]
    logits[:, 7] = -np.inf
    assert tokens.tolist() == logits.argmax(axis=1).tolist()


def test_a_validator_that_fails_leaves_no_token(backend: Backend) -> None:
    class Failing(Refusing):
        def forbidden(self, tokens: list[int]) -> list[tuple[int, NDArray[np.int32]]]:
            raise RuntimeError("no grammar")

    batch = batch_of([Row(temperature=0.0)] * 2)
    unraisable: list[object] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda found: unraisable.append(found.exc_value)
    try:
        tokens = backend.sample(mx.array(logits_of(1, 2)), replace(batch, validator=Failing(set(), 2))).tokens
        mx.eval(tokens)
    finally:
        sys.unraisablehook = before
    assert np.array(tokens).tolist() == [-1, -1]
    assert len(unraisable) == 1
