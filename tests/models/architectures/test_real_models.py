"""The two real models through the reference backend, held against NumPy. ``bench/fidelity.py`` does this at length."""

from __future__ import annotations

import pytest

from mlxr.metal.reference.backend import ReferenceBackend
from tests.models import model_path
from tests.oracle.fidelity import measure

LIMIT = 1e-6
"""Nats. The plain-MLX path is to stay below 1e-4; it differs from NumPy by rounding alone, about 1e-10."""


@pytest.mark.parametrize(("name", "positions"), [("smollm2", 20), ("gemma3", 12)])
def test_next_token_distributions_are_those_of_the_published_formulas(name: str, positions: int) -> None:
    fidelity = measure(model_path(name), ReferenceBackend(), positions, chunk=9, page_size=16)
    assert fidelity.mean < LIMIT
    assert fidelity.agreement == 1.0
