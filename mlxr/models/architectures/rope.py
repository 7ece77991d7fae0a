"""The rope that a model's file describes, in either format, with the context extensions that models come with."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mlxr.metal.specs import Rope, RopeStyle
from mlxr.models.architectures.rope_config import require_yarn, rope_of_config
from mlxr.models.architectures.rope_frequencies import Frequencies, made_rope, plain, yarn, yarn_mscale
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters


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
    """Returns the rope that GGUF's ``rope.*`` keys describe. Raises ``ModelFileError`` for numbers that make none,
    ``UnsupportedModelError`` for a scaling that mlxr lacks.

    ``factors`` ``[dims / 2]`` divide the frequencies: GGUF stores Llama 3's scaling so, as ``rope_freqs.weight``, and
    LongRoPE's.
    """
    base = parameters.positive_number("rope.freq_base", default_base)
    frequencies = plain(dims, base)
    if factors is not None:
        if not (np.isfinite(factors).all() and (factors > 0).all()):
            raise parameters.error("has rope_freqs.weight that are not all above 0")
        frequencies = frequencies / factors
    factor = parameters.positive_number("rope.scaling.factor", parameters.number("rope.scale_linear", 1.0))
    magnitude = parameters.positive_number("rope.scaling.attn_factor", 1.0)
    kind = parameters.text("rope.scaling.type", "linear")
    match kind:
        case "none":
            pass
        case "longrope" if factors is not None:
            pass
        case "linear":
            frequencies = frequencies / factor
        case "yarn":
            original = parameters.positive("rope.scaling.original_context_length")
            fast = parameters.positive_number("rope.scaling.yarn_beta_fast", 32.0)
            slow = parameters.positive_number("rope.scaling.yarn_beta_slow", 1.0)
            require_yarn(parameters, base, factor)
            magnitude *= _gguf_yarn_magnitude(parameters, factor)
            frequencies = yarn(frequencies, base, factor, original, fast, slow)
        case _:
            known = "mlxr knows none, linear and yarn"
            raise UnsupportedModelError(parameters.path, f"scales its rope by {kind[:60]!r}; {known}")
    rope = made_rope(style, frequencies, magnitude)
    if not (math.isfinite(magnitude) and magnitude > 0 and np.isfinite(rope.inverse_frequencies).all()):
        raise parameters.error(f"has rope settings that make no angles: base {base}, factor {factor}")
    return rope


def long_rope_factors(
    parameters: Hyperparameters, weights: Weights, dims: int, context_length: int
) -> Frequencies | None:
    """Returns LongRoPE's factors as a GGUF file has them, None where it has none: those for a model's original context,
    or those for a longer one."""
    original = parameters.positive("rope.scaling.original_context_length", context_length)
    kinds = [weights.optional_values(f"rope_factors_{kind}.weight", dims // 2) for kind in ("short", "long")]
    return kinds[context_length > original]


def plain_rope(dims: int, base: float) -> Rope:
    """Returns a rope whose halves turn together, without scaling."""
    return made_rope(RopeStyle.NEOX, plain(dims, base))


def window_rope(parameters: Hyperparameters, dims: int, base: float, most: int | None = None) -> Rope:
    """Returns the rope of layers with a window, where those that see everything have another.

    A folder may describe it whole. Else its base is the file's ``rope.freq_base_swa``, or ``base``. Its size is
    ``dims``; a GGUF file may say another one, of at most ``most`` numbers of a head.
    """
    own = parameters.positive_number("rope.freq_base_swa", base)
    if parameters.format is Format.GGUF:
        dims = parameters.positive("rope.dimension_count_swa", dims, most or dims)
    elif "rope_parameters.sliding_attention.rope_type" in parameters:
        return model_rope(parameters, dims, RopeStyle.NEOX, None, base, "sliding_attention")
    return plain_rope(dims, own)


def _gguf_yarn_magnitude(parameters: Hyperparameters, factor: float) -> float:
    """Returns YaRN's attention factor by llama.cpp's keys. ``yarn_attn_factor`` is what a ``config.json`` had for it,
    1 where nobody has; ``yarn_log_multiplier`` its ``mscale_all_dim``, beside an ``mscale`` of 1."""
    if parameters.number("rope.scaling.yarn_ext_factor", 1.0) not in (1.0, -1.0):
        reason = "scales its rope with yarn_ext_factor, which mlxr does not know"
        raise UnsupportedModelError(parameters.path, reason)
    given = parameters.number("rope.scaling.yarn_attn_factor", 1.0)
    if given > 0 and given != 1.0:
        return given
    all_dims = parameters.number("rope.scaling.yarn_log_multiplier", 0.0)
    return yarn_mscale(factor) / yarn_mscale(factor, all_dims)
