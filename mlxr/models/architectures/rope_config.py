"""The rope that a ``config.json`` describes, by transformers' names (``modeling_rope_utils.py``)."""

from __future__ import annotations

import math

import numpy as np

from mlxr.metal.specs import Rope, RopeStyle
from mlxr.models.architectures.rope_frequencies import (
    Frequencies,
    llama3,
    made_rope,
    ntk,
    plain,
    proportional,
    yarn,
    yarn_mscale,
)
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters


def rope_of_config(parameters: Hyperparameters, dims: int, default_base: float = 10000.0, layers: str = "") -> Rope:
    """Returns the rope that a ``config.json`` describes by ``rope_theta`` and ``rope_scaling``, or ``rope_parameters``;
    Hugging Face's models turn halves together. Raises as ``rope_from`` does.

    ``layers``: the kind of layers whose rope it is, where the file has one for each (``full_attention``).
    """
    at = _place(parameters, layers)
    base = rope_base(parameters, default_base, layers)
    kind = rope_kind(parameters, layers)
    frequencies, magnitude = plain(dims, base), 1.0
    match kind:
        case "default" | "mrope":  # the axes of an image's positions are one in text
            pass
        case "linear":
            frequencies = frequencies / parameters.positive_number(f"{at}.factor")
        case "dynamic":
            frequencies = _dynamic(parameters, at, dims, base)
        case "llama3":
            frequencies = _llama3(parameters, at, frequencies)
        case "yarn":
            frequencies, magnitude = _yarn(parameters, at, frequencies, base)
        case "longrope" | "su":
            frequencies, magnitude = _long_rope(parameters, at, dims, base)
        case "proportional":
            share = parameters.positive_number(f"{at}.partial_rotary_factor", 1.0)
            frequencies = proportional(dims, base, share) / parameters.positive_number(f"{at}.factor", 1.0)
        case _:
            known = "mlxr knows default, linear, dynamic, llama3, yarn, longrope and proportional"
            raise UnsupportedModelError(parameters.path, f"scales its rope by {kind[:60]!r}; {known}")
    rope = made_rope(RopeStyle.NEOX, frequencies, magnitude)
    if not (math.isfinite(magnitude) and np.isfinite(rope.inverse_frequencies).all()):
        raise parameters.error(f"has rope settings that make no angles: base {base}, kind {kind!r}")
    return rope


def rope_kind(parameters: Hyperparameters, layers: str = "") -> str:
    """Returns how a ``config.json`` scales its rope, by transformers' names; ``default`` where it does not."""
    at = _place(parameters, layers)
    usual = "longrope" if f"{at}.long_factor" in parameters else "default"
    return parameters.text(f"{at}.rope_type", parameters.text(f"{at}.type", usual))


def rope_base(parameters: Hyperparameters, default: float, layers: str = "") -> float:
    """Returns the base of a ``config.json``'s rope, which is where its scaling is, or beside it."""
    outer = parameters.positive_number("rope_theta", default)
    outer = parameters.positive_number("rope_parameters.rope_theta", outer)
    return parameters.positive_number(f"{_place(parameters, layers)}.rope_theta", outer)


def describes_ropes(parameters: Hyperparameters) -> bool:
    """Returns whether a ``config.json`` describes a rope beyond its base."""
    return any(key.startswith(("rope_parameters.", "rope_scaling.")) for key in parameters.values)


def lacks_rope_of(parameters: Hyperparameters, layers: str, *, shared: bool) -> bool:
    """Returns whether a ``config.json`` describes ropes, but none for ``layers`` of this kind. ``shared``: whether one
    that is of no kind alone is theirs, too."""
    own = any(key.startswith(f"rope_parameters.{layers}.") for key in parameters.values)
    keys = "rope_type", "type", "rope_theta"
    of_all = any(f"{place}.{key}" in parameters for place in ("rope_parameters", "rope_scaling") for key in keys)
    return describes_ropes(parameters) and not own and not (shared and of_all)


def score_mscale(parameters: Hyperparameters) -> float:
    """Returns what DeepSeek's models multiply scores by besides one over a root, as a ``config.json`` with YaRN has it:
    the square of the factor that ``mscale_all_dim`` makes."""
    at = _place(parameters, "")
    all_dims = parameters.number(f"{at}.mscale_all_dim", 0.0)
    if rope_kind(parameters) == "default" or not all_dims:
        return 1.0
    return yarn_mscale(parameters.positive_number(f"{at}.factor"), all_dims) ** 2


def _place(parameters: Hyperparameters, layers: str) -> str:
    """Returns the part of a ``config.json`` that describes the rope: the first that names a kind, else a base."""
    places = [f"rope_parameters.{layers}", "rope_parameters", "rope_scaling"]
    for keys in (("rope_type", "type"), ("long_factor", "rope_theta")):
        for place in places:
            if any(f"{place}.{key}" in parameters for key in keys):
                return place
    return places[-1]


def _original(parameters: Hyperparameters, at: str) -> int:
    """Returns the context that a model was trained with before its rope was stretched; where a file tells twice, the
    outer number holds, and where it does not tell, the whole context is meant."""
    whole = parameters.positive("context_length")
    inner = parameters.positive(f"{at}.original_max_position_embeddings", whole)
    return parameters.positive("original_max_position_embeddings", inner)


def _dynamic(parameters: Hyperparameters, at: str, dims: int, base: float) -> Frequencies:
    """Dynamic NTK scaling grows the base with the sequence once this outgrows the model's context. A server that keeps
    turned keys can't do that, and no sequence of its outgrows the context: up to there nothing is scaled. Hunyuan's
    ``alpha`` is a fixed NTK scaling under the same name."""
    parameters.positive_number(f"{at}.factor", 1.0)
    alpha = parameters.number(f"{at}.alpha", 0.0)
    if not alpha:
        return plain(dims, base)
    if alpha < 0 or dims < 4:
        raise parameters.error(f"scales a rope of {dims} dimensions by an alpha of {alpha}")
    return ntk(dims, base, alpha)


def _llama3(parameters: Hyperparameters, at: str, frequencies: Frequencies) -> Frequencies:
    slow = parameters.positive_number(f"{at}.low_freq_factor")
    fast = parameters.positive_number(f"{at}.high_freq_factor")
    if not fast > slow:
        reason = f"has the rope factors {slow} (low) and {fast} (high); the second is larger"
        raise parameters.error(reason)
    factor = parameters.positive_number(f"{at}.factor")
    return llama3(frequencies, factor, _original(parameters, at), slow, fast)


def _yarn(parameters: Hyperparameters, at: str, frequencies: Frequencies, base: float) -> tuple[Frequencies, float]:
    """Returns frequencies and magnitude."""
    original = _original(parameters, at)
    factor = parameters.positive_number(f"{at}.factor", parameters.positive("context_length") / original)
    require_yarn(parameters, base, factor)
    fast = parameters.number(f"{at}.beta_fast", 0.0) or 32.0
    slow = parameters.number(f"{at}.beta_slow", 0.0) or 1.0
    if min(fast, slow) < 0:
        raise parameters.error(f"has the rope betas {fast} (fast) and {slow} (slow); both are above 0")
    mscale = parameters.number(f"{at}.mscale", 0.0)
    all_dims = parameters.number(f"{at}.mscale_all_dim", 0.0)
    usual = yarn_mscale(factor)
    if mscale and all_dims:
        usual = yarn_mscale(factor, mscale) / yarn_mscale(factor, all_dims)
    magnitude = parameters.positive_number(f"{at}.attention_factor", usual)
    truncate = parameters.flag(f"{at}.truncate", True)
    return yarn(frequencies, base, factor, original, fast, slow, truncate), magnitude


def _long_rope(parameters: Hyperparameters, at: str, dims: int, base: float) -> tuple[Frequencies, float]:
    """Returns frequencies and magnitude of LongRoPE (Ding et al. 2024): each frequency is divided by a factor of its
    own, by one list of them for the original context and another beyond."""
    context_length, original = parameters.positive("context_length"), _original(parameters, at)
    lists = [parameters.numbers(f"{at}.{name}_factor", dims // 2) or [1.0] * (dims // 2) for name in ("short", "long")]
    if min(map(min, lists)) <= 0:
        raise parameters.error("has rope factors that are not all above 0")
    stretched = original * parameters.positive_number(f"{at}.factor", context_length / original)
    usual = long_rope_magnitude(parameters, stretched, original)
    magnitude = parameters.positive_number(f"{at}.attention_factor", usual)
    return plain(dims, base) / np.array(lists[context_length > original]), magnitude


def long_rope_magnitude(parameters: Hyperparameters, context_length: float, original: int) -> float:
    """Returns LongRoPE's attention factor: the root of ``1 + ln(stretch) / ln(original)``, 1 within the ``original``
    context. Raises ``ModelFileError`` for an original context of one token, from which nothing can be stretched."""
    if context_length <= original:
        return 1.0
    if original < 2:
        raise parameters.error(f"stretches its rope from an original context of {original} token")
    return math.sqrt(1 + math.log(context_length / original) / math.log(original))


def require_yarn(parameters: Hyperparameters, base: float, factor: float) -> None:
    """Raises ``ModelFileError`` for a base that YaRN can't divide by the logarithm of, and a factor that shortens."""
    if base <= 1:
        raise parameters.error(f"has the rope base {base}, by which YaRN can't scale; it is above 1")
    if factor < 1:
        reason = f"has rope settings that make no angles: YaRN stretches by a factor of 1 or more, not {factor}"
        raise parameters.error(reason)
