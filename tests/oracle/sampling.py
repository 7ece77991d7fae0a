"""Sampling one row, in float64 NumPy, by the rules in ``messages.common.Sampling``. No code is shared with ``mlxr``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Row:
    """One row's settings; ``history`` holds (token, whether it was generated)."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    repetition: float = 1.0
    presence: float = 0.0
    frequency: float = 0.0
    uniform: float = 0.5
    history: tuple[tuple[int, bool], ...] = ()
    bias: tuple[tuple[int, float], ...] = ()
    allowed: frozenset[int] | None = None


def adjusted(logits: NDArray[np.float32], row: Row) -> NDArray[np.float64]:
    out = logits.astype(np.float64)
    for token in {token for token, _ in row.history}:
        out[token] = out[token] / row.repetition if out[token] > 0 else out[token] * row.repetition
    generated = [token for token, own in row.history if own]
    for token in set(generated):
        out[token] -= row.presence + row.frequency * generated.count(token)
    for token, value in row.bias:
        out[token] += value
    if row.allowed is not None:
        out[[token for token in range(len(out)) if token not in row.allowed]] = -np.inf
    return out


def candidates(logits: NDArray[np.float32], row: Row) -> list[tuple[int, float]]:
    """What the row draws from: (token, probability) in descending order, equal ones by token id."""
    values = adjusted(logits, row) / row.temperature
    weights = np.exp(values - values.max())
    weights /= weights.sum()
    kept = sorted(((token, p) for token, p in enumerate(weights) if p > 0), key=lambda pair: (-pair[1], pair[0]))
    if row.top_k:
        kept = normalized(kept[: row.top_k])
    if row.typical_p < 1:
        entropy = -sum(p * np.log(p) for _, p in kept)
        nearest = sorted(kept, key=lambda pair: abs(-np.log(pair[1]) - entropy))
        typical = {token for token, _ in reaching(nearest, row.typical_p)}
        kept = normalized([pair for pair in kept if pair[0] in typical])
    if row.top_p < 1:
        kept = normalized(reaching(kept, row.top_p))
    return normalized([pair for pair in kept if pair[1] >= row.min_p * kept[0][1]])


def reaching(ranked: list[tuple[int, float]], mass: float) -> list[tuple[int, float]]:
    total, kept = 0.0, []
    for pair in ranked:
        kept.append(pair)
        total += pair[1]
        if total >= mass:
            break
    return kept


def normalized(pairs: list[tuple[int, float]]) -> list[tuple[int, float]]:
    total = sum(p for _, p in pairs)
    return [(token, p / total) for token, p in pairs]


def may_draw(logits: NDArray[np.float32], row: Row, token: int, slack: float = 1e-5) -> bool:
    """Whether ``token`` is what the row draws, a float32's rounding allowed for at the edges of its interval."""
    if row.temperature == 0:
        return token == int(adjusted(logits, row).argmax())
    below = 0.0
    for candidate, p in candidates(logits, row):
        if candidate == token:
            return below - slack <= row.uniform <= below + p + slack
        below += p
    return False
