"""Frequencies of rotary embeddings and the formulas that stretch them over longer contexts, by what they are named
after. Pair i of a rope of ``dims`` numbers turns by ``frequencies[i]`` a position."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.specs import Rope, RopeStyle

Frequencies = NDArray[np.float64]


def plain(dims: int, base: float) -> Frequencies:
    """``base ** (-2i / dims)`` for pair i (Su et al. 2021)."""
    with np.errstate(over="ignore"):
        frequencies: Frequencies = base ** (-np.arange(0, dims, 2) / dims)
    return frequencies


def proportional(dims: int, base: float, share: float) -> Frequencies:
    """Returns the plain frequencies of the first ``share`` of the pairs; the others don't turn (Gemma 4)."""
    frequencies = plain(dims, base)
    frequencies[int(share * dims // 2) :] = 0
    return frequencies


def ntk(dims: int, base: float, alpha: float) -> Frequencies:
    """NTK-aware scaling by a base that is larger: the slowest pair turns ``alpha`` times slower, the fastest as before.
    ``dims`` is more than 2."""
    with np.errstate(over="ignore"):
        return plain(dims, float(np.float64(base) * np.float64(alpha) ** (dims / (dims - 2))))


def yarn(
    frequencies: Frequencies,
    base: float,
    factor: float,
    original: int,
    fast: float,
    slow: float,
    truncate: bool = True,
) -> Frequencies:
    """YaRN's blend (Peng et al. 2023, "NTK-by-parts") of frequencies as they are and stretched by ``factor``.

    Pairs that turn more than ``fast`` times within the ``original`` context stay, those that turn less than ``slow``
    times are stretched, those between are in proportion. ``truncate``: whether the ramp between begins and ends at
    whole pairs.
    """
    dims = 2 * len(frequencies)

    def pair_turning(times: float) -> float:
        return dims * math.log(original / (times * 2 * math.pi)) / (2 * math.log(base))

    low, high = pair_turning(fast), pair_turning(slow)
    if truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(0, low), min(dims - 1, high)
    ramp: Frequencies = np.clip((np.arange(len(frequencies)) - low) / max(0.001, high - low), 0, 1)
    return frequencies * (1 - ramp) + frequencies / factor * ramp


def yarn_mscale(factor: float, multiplier: float = 1.0) -> float:
    """Returns what YaRN raises scores by, as a factor of queries and keys each: ``1 + 0.1 multiplier ln(factor)``."""
    return 1.0 if factor <= 1 else 1 + 0.1 * multiplier * math.log(factor)


def llama3(frequencies: Frequencies, factor: float, original: int, slow: float, fast: float) -> Frequencies:
    """Llama 3.1's blend (``modeling_rope_utils.py`` of transformers): pairs that turn more than ``fast`` times within
    the ``original`` context stay, those that turn less than ``slow`` times are stretched, those between in part."""
    turns = original * frequencies / (2 * math.pi)
    kept: Frequencies = np.clip((turns - slow) / (fast - slow), 0, 1)
    return frequencies * kept + frequencies / factor * (1 - kept)


def made_rope(style: RopeStyle, frequencies: Frequencies, magnitude: float = 1.0) -> Rope:
    """A frequency that is too large for float32 becomes an infinity, which whoever asked must look for."""
    with np.errstate(over="ignore"):
        return Rope(style, tuple(float(f) for f in frequencies.astype(np.float32)), magnitude)
