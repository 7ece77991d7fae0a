"""Frequencies of rotary embeddings, with the context extensions that models are published with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.specs import Rope, RopeStyle
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

Frequencies = NDArray[np.float64]


def model_rope(
    parameters: Hyperparameters,
    dims: int,
    style: RopeStyle,
    factors: Frequencies | None = None,
    default_base: float = 10000.0,
    layers: str = "",
    in_folders: RopeStyle = RopeStyle.NEOX,
) -> Rope:
    """Returns the rope that a file of either format describes. ``style`` and ``factors`` are a GGUF file's, ``layers``
    (``rope_of_config``) and ``in_folders``, the style, a folder's."""
    if parameters.format is Format.GGUF:
        return rope_from(parameters, style, dims, factors, default_base)
    return replace(rope_of_config(parameters, dims, default_base, layers), style=in_folders)


def rope_from(
    parameters: Hyperparameters,
    style: RopeStyle,
    dims: int,
    factors: Frequencies | None = None,
    default_base: float = 10000.0,
) -> Rope:
    """The rope that GGUF's ``rope.*`` keys describe. Raises ``ModelFileError`` for numbers that make none,
    ``UnsupportedModelError`` for a scaling that mlxr lacks.

    ``factors`` ``[dims / 2]`` divide the frequencies: GGUF stores Llama 3's scaling so, as ``rope_freqs.weight``.
    """
    base = parameters.positive_number("rope.freq_base", default_base)
    frequencies = plain(dims, base)
    if factors is not None:
        if not (np.isfinite(factors).all() and (factors > 0).all()):
            raise ModelFileError(parameters.path, "has rope_freqs.weight that are not all above 0")
        frequencies = frequencies / factors
    factor = parameters.positive_number("rope.scaling.factor", parameters.number("rope.scale_linear", 1.0))
    magnitude = parameters.positive_number("rope.scaling.attn_factor", 1.0)
    kind = parameters.text("rope.scaling.type", "linear")
    match kind:
        case "none":
            pass
        case "linear":
            frequencies = frequencies / factor
        case "yarn":
            original = parameters.positive("rope.scaling.original_context_length")
            fast = parameters.positive_number("rope.scaling.yarn_beta_fast", 32.0)
            slow = parameters.positive_number("rope.scaling.yarn_beta_slow", 1.0)
            _require_usual_yarn(parameters, base)
            magnitude *= 1 + 0.1 * math.log(factor)
            frequencies = yarn(frequencies, base, factor, original, fast, slow)
        case _:
            known = "mlxr knows none, linear and yarn"
            raise UnsupportedModelError(parameters.path, f"scales its rope by {kind[:60]!r}; {known}")
    rope = _rope(style, frequencies, magnitude)
    if not (math.isfinite(magnitude) and magnitude > 0 and np.isfinite(rope.inverse_frequencies).all()):
        raise ModelFileError(parameters.path, f"has rope settings that make no angles: base {base}, factor {factor}")
    return rope


def rope_of_config(parameters: Hyperparameters, dims: int, default_base: float = 10000.0, layers: str = "") -> Rope:
    """Returns the rope that a ``config.json`` describes by ``rope_theta`` and ``rope_scaling``, or ``rope_parameters``;
    Hugging Face's models turn halves together. Raises as ``rope_from`` does.

    ``layers``: the kind of layers whose rope it is, where the file has one for each (``full_attention``).
    """
    places = [f"rope_parameters.{layers}", "rope_parameters", "rope_scaling"]
    at = next((p for p in places if any(f"{p}.{key}" in parameters for key in ("rope_type", "type"))), places[-1])
    base = parameters.positive_number(f"{at}.rope_theta", parameters.positive_number("rope_theta", default_base))
    frequencies, magnitude = plain(dims, base), 1.0
    kind = parameters.text(f"{at}.rope_type", parameters.text(f"{at}.type", "default"))
    if kind != "default":
        factor = parameters.positive_number(f"{at}.factor")
    match kind:
        case "default":
            pass
        case "linear":
            frequencies = frequencies / factor
        case "llama3":
            original = parameters.positive(f"{at}.original_max_position_embeddings")
            slow = parameters.positive_number(f"{at}.low_freq_factor")
            fast = parameters.positive_number(f"{at}.high_freq_factor")
            if not fast > slow:
                reason = f"has the rope factors {slow} (low) and {fast} (high); the second is larger"
                raise ModelFileError(parameters.path, reason)
            frequencies = llama3(frequencies, factor, original, slow, fast)
        case "yarn":
            original = parameters.positive(
                f"{at}.original_max_position_embeddings", parameters.positive("context_length")
            )
            fast = parameters.positive_number(f"{at}.beta_fast", 32.0)
            slow = parameters.positive_number(f"{at}.beta_slow", 1.0)
            if base <= 1:
                reason = f"has the rope base {base}, by which YaRN can't scale; it is above 1"
                raise ModelFileError(parameters.path, reason)
            magnitude = parameters.positive_number(f"{at}.attention_factor", 1 + 0.1 * math.log(max(1.0, factor)))
            frequencies = yarn(frequencies, base, factor, original, fast, slow)
        case _:
            known = "mlxr knows default, linear, llama3 and yarn"
            raise UnsupportedModelError(parameters.path, f"scales its rope by {kind[:60]!r}; {known}")
    rope = _rope(RopeStyle.NEOX, frequencies, magnitude)
    if not (math.isfinite(magnitude) and np.isfinite(rope.inverse_frequencies).all()):
        raise ModelFileError(parameters.path, f"has rope settings that make no angles: base {base}, kind {kind!r}")
    return rope


def long_rope(parameters: Hyperparameters, dims: int, context_length: int) -> Rope | None:
    """Returns LongRoPE's scaling (Ding et al. 2024) as a ``config.json`` describes it, None where it has none: each
    frequency is divided by a factor of its own, by one list of them for the original context and another beyond."""
    at = next((p for p in ("rope_parameters", "rope_scaling") if f"{p}.long_factor" in parameters), None)
    if at is None:
        return None
    kind = parameters.text(f"{at}.rope_type", parameters.text(f"{at}.type", "longrope"))
    if kind not in ("longrope", "su"):
        raise UnsupportedModelError(parameters.path, f"scales its rope by {kind[:60]!r}; mlxr knows longrope here")
    original = parameters.positive(
        "original_max_position_embeddings",
        parameters.positive(f"{at}.original_max_position_embeddings", context_length),
    )
    base = parameters.positive_number(f"{at}.rope_theta", parameters.positive_number("rope_theta", 10000.0))
    lists = [parameters.numbers(f"{at}.{name}_factor", dims // 2) or [1.0] * (dims // 2) for name in ("short", "long")]
    if min(map(min, lists)) <= 0:
        raise ModelFileError(parameters.path, "has rope factors that are not all above 0")
    usual = long_rope_magnitude(parameters, context_length, original)
    magnitude = parameters.positive_number(f"{at}.attention_factor", usual)
    return _rope(RopeStyle.NEOX, plain(dims, base) / np.array(lists[context_length > original]), magnitude)


def long_rope_magnitude(parameters: Hyperparameters, context_length: int, original: int) -> float:
    """Returns LongRoPE's attention factor: the root of ``1 + ln(stretch) / ln(original)``, 1 within the ``original``
    context. Raises ``ModelFileError`` for an original context of one token, from which nothing can be stretched."""
    if context_length <= original:
        return 1.0
    if original < 2:
        raise ModelFileError(parameters.path, f"stretches its rope from an original context of {original} token")
    return math.sqrt(1 + math.log(context_length / original) / math.log(original))


def _require_usual_yarn(parameters: Hyperparameters, base: float) -> None:
    """Refuse a base that YaRN divides by the logarithm of, and what llama.cpp can change besides."""
    if base <= 1:
        raise ModelFileError(parameters.path, f"has the rope base {base}, by which YaRN can't scale; it is above 1")
    for key, usual in (("yarn_ext_factor", 1.0), ("yarn_attn_factor", 1.0), ("yarn_log_multiplier", 0.0)):
        if parameters.number(f"rope.scaling.{key}", usual) not in (usual, -1.0):
            raise UnsupportedModelError(parameters.path, f"scales its rope with {key}, which mlxr does not know")


def plain(dims: int, base: float) -> Frequencies:
    """``base ** (-2i / dims)`` for pair i (Su et al. 2021)."""
    with np.errstate(over="ignore"):
        return base ** (-np.arange(0, dims, 2) / dims)


def plain_rope(dims: int, base: float) -> Rope:
    """A rope whose halves turn together, without scaling."""
    return _rope(RopeStyle.NEOX, plain(dims, base))


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


def llama3(frequencies: Frequencies, factor: float, original: int, slow: float, fast: float) -> Frequencies:
    """Llama 3.1's blend (``modeling_rope_utils.py`` of transformers): pairs that turn more than ``fast`` times within
    the ``original`` context stay, those that turn less than ``slow`` times are stretched, those between in part."""
    turns = original * frequencies / (2 * math.pi)
    kept = np.clip((turns - slow) / (fast - slow), 0, 1)
    return frequencies * kept + frequencies / factor * (1 - kept)


def _rope(style: RopeStyle, frequencies: Frequencies, magnitude: float = 1.0) -> Rope:
    with np.errstate(over="ignore"):  # looked at by whoever asked for it
        return Rope(style, tuple(float(f) for f in frequencies.astype(np.float32)), magnitude)
