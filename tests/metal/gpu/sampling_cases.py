"""Sampling: rows of every kind, held to sorting in float64."""

from __future__ import annotations

import numpy as np

from mlxr.metal.gpu import sampling
from tests.metal.gpu.case import Case, Values, values
from tests.metal.gpu.emulated import Array

OPTIONS = [
    (0.0, 1.0, 0.0, 0.5, 0),
    (1.0, 1.0, 0.0, 0.3, 0),
    (0.7, 0.9, 0.0, 0.8, 0),
    (1.3, 1.0, 0.1, 0.95, 0),
    (1.0, 0.8, 0.05, 0.6, 20),
    (2.0, 1.0, 0.0, 0.99, 3),
    (1.0, 1.0, 0.0, 0.0, 5),
    (1.0, 0.0001, 0.0, 0.7, 0),
]
"""Temperature, top_p, min_p, uniform number, top_k of a row each."""


def chosen(logits: Values, temperature: float, top_p: float, min_p: float, uniform: float, top_k: int) -> int:
    if not np.isfinite(logits).all():
        return -1
    order = np.argsort(-logits, kind="stable")
    if temperature == 0:
        return int(order[0])
    weights = np.exp((logits[order] - logits.max()) / temperature)
    if top_k:
        weights = weights[:top_k]
    before = np.cumsum(weights) - weights
    weights = weights[(before < top_p * weights.sum()) | (before == 0)]
    weights = weights[weights >= min_p * weights[0]]
    return int(order[np.argmax(np.cumsum(weights) > uniform * weights.sum())])


def sampling_case(vocabulary: int, equal: bool) -> Case:
    """``equal``: whether many logits are the same."""
    rng = np.random.default_rng(vocabulary)
    drawn = 2 * rng.standard_normal((len(OPTIONS) + 1, vocabulary), np.float32)
    logits = Array.of(np.rint(drawn) if equal else drawn)
    logits.bits[-1, 5] = np.nan
    rows = [*OPTIONS, OPTIONS[0]]
    options = Array.of(np.array([row[:4] for row in rows], np.float32))
    top_k = Array.of(np.array([row[4] for row in rows], np.int32))

    def expected() -> list[Values]:
        tokens = [chosen(one, *row) for one, row in zip(values(logits), rows, strict=True)]
        return [np.array(tokens, np.float64)]

    return Case(
        f"{sampling.KERNEL.name} of {vocabulary}, equal ones {equal}",
        sampling.KERNEL,
        sampling.launch(len(rows), vocabulary),
        [logits, options, top_k],
        expected,
        (0.0,),
    )


def sampling_cases() -> list[Case]:
    return [sampling_case(300, False), sampling_case(700, True)]
