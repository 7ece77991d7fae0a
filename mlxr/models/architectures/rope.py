"""Frequencies of rotary embeddings, with the context extensions that models are published with."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.layout import Rope, RopeStyle
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters

Frequencies = NDArray[np.float64]


def rope_from(
    parameters: Hyperparameters,
    style: RopeStyle,
    dims: int,
    factors: Frequencies | None = None,
    default_base: float = 10000.0,
) -> Rope:
    """The rope that GGUF's ``rope.*`` keys describe.

    ``factors`` ``[dims / 2]`` divide the frequencies: GGUF stores Llama 3's scaling so, as ``rope_freqs.weight``.
    """
    base = parameters.positive_number("rope.freq_base", default_base)
    frequencies = plain(dims, base)
    if factors is not None:
        frequencies = frequencies / factors
    factor = parameters.positive_number("rope.scaling.factor", parameters.number("rope.scale_linear", 1.0))
    kind = parameters.text("rope.scaling.type", "linear")
    match kind:
        case "none":
            return _rope(style, frequencies)
        case "linear":
            return _rope(style, frequencies / factor)
        case "yarn":
            original = parameters.positive("rope.scaling.original_context_length")
            fast = parameters.positive_number("rope.scaling.yarn_beta_fast", 32.0)
            slow = parameters.positive_number("rope.scaling.yarn_beta_slow", 1.0)
            magnitude = parameters.number("rope.scaling.attn_factor", 1.0) * (1 + 0.1 * math.log(factor))
            return _rope(style, yarn(frequencies, base, factor, original, fast, slow), magnitude)
    raise UnsupportedModelError(parameters.path, f"scales its rope by {kind!r}; mlxr knows none, linear and yarn")


def plain(dims: int, base: float) -> Frequencies:
    """``base ** (-2i / dims)`` for pair i (Su et al. 2021)."""
    return base ** (-np.arange(0, dims, 2) / dims)


def yarn(frequencies: Frequencies, base: float, factor: float, original: int, fast: float, slow: float) -> Frequencies:
    """YaRN's blend (Peng et al. 2023, "NTK-by-parts") of frequencies as they are and stretched by ``factor``.

    Pairs that turn more than ``fast`` times within the ``original`` context stay, those that turn less than ``slow``
    times are stretched, those between are in proportion.
    """
    dims = 2 * len(frequencies)

    def pair_turning(times: float) -> float:
        return dims * math.log(original / (times * 2 * math.pi)) / (2 * math.log(base))

    low = max(0, math.floor(pair_turning(fast)))
    high = min(dims - 1, math.ceil(pair_turning(slow)))
    ramp = np.clip((np.arange(len(frequencies)) - low) / max(0.001, high - low), 0, 1)
    return frequencies * (1 - ramp) + frequencies / factor * ramp


def _rope(style: RopeStyle, frequencies: Frequencies, magnitude: float = 1.0) -> Rope:
    return Rope(style, tuple(float(f) for f in frequencies.astype(np.float32)), magnitude)
