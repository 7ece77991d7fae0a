"""The sizes, rope and scale of multi-head latent attention, as a file of either format tells them."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import LatentSpec, Rope, RopeStyle
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.rope_config import score_mscale
from mlxr.models.architectures.rope_frequencies import Frequencies, yarn_mscale
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, Sizes, temperature_of
from mlxr.models.hyperparameters import Format, Hyperparameters


def latent_attention(
    parameters: Hyperparameters,
    sizes: Sizes,
    style: RopeStyle = RopeStyle.NORMAL,
    factors: Frequencies | None = None,
) -> LatentSpec:
    """Returns the attention that a file of either format describes. ``style``: the rope's, where a ``config.json`` does
    not say; ``factors``: what divides the frequencies of a GGUF file's.

    Raises ``ModelFileError`` where the rope does not fit a head.
    """
    if not parameters.is_list("attention.head_count_kv"):
        parameters.integer("attention.head_count_kv", 0)  # 1 or all of the heads: files count one thing or the other
    rank = parameters.positive("attention.kv_lora_rank", most=MAX_HEAD_DIM)
    if parameters.format is Format.GGUF:
        whole, values, rope_dims = _gguf_heads(parameters, sizes)
    else:
        rope_dims = parameters.positive("qk_rope_head_dim", most=MAX_HEAD_DIM)
        whole = parameters.positive("qk_nope_head_dim", most=MAX_HEAD_DIM) + rope_dims
        values = parameters.positive("attention.value_length_mla", sizes.width // sizes.heads or 1, MAX_HEAD_DIM)
        neighbours = parameters.flag("rope_interleave", style is RopeStyle.NORMAL)
        style = RopeStyle.NORMAL if neighbours else RopeStyle.NEOX
    if rope_dims % 2 or rope_dims >= whole:
        reason = f"turns {rope_dims} of {whole} dimensions by its rope; some pairs of them are turned, not all"
        raise parameters.error(reason)
    share = parameters.number("rope_parameters.partial_rotary_factor", 1.0)
    if share not in (1.0, rope_dims / whole):
        reason = f"turns {share} of a head by its rope, and {rope_dims} of {whole} dimensions"
        raise parameters.error(reason)
    rope, mscale = _rope(parameters, rope_dims, style, factors)
    return LatentSpec(
        heads=sizes.heads,
        rank=rank,
        plain_dims=whole - rope_dims,
        rope_dims=rope_dims,
        value_dims=values,
        scale=float(whole**-0.5) * mscale,
        rope=rope,
        query_rank=parameters.integer("attention.q_lora_rank", 0),
        norm_eps=sizes.norm_eps,
        temperature=temperature_of(parameters),
    )


def _gguf_heads(parameters: Hyperparameters, sizes: Sizes) -> tuple[int, int, int]:
    """Returns how long a head's keys and values are, and how much of the former the rope turns. Files since 2025 tell
    what is kept under the usual names, and have others for this."""
    keys = parameters.positive("attention.key_length", most=MAX_HEAD_DIM)
    values = parameters.positive("attention.value_length", sizes.width // sizes.heads or 1, MAX_HEAD_DIM)
    return (
        parameters.positive("attention.key_length_mla", keys, MAX_HEAD_DIM),
        parameters.positive("attention.value_length_mla", values, MAX_HEAD_DIM),
        parameters.positive("rope.dimension_count", most=MAX_HEAD_DIM),
    )


def _rope(parameters: Hyperparameters, dims: int, style: RopeStyle, factors: Frequencies | None) -> tuple[Rope, float]:
    """Returns the rope, and what scores are multiplied by besides one over the root of a key's length.

    GGUF keeps a tenth of ``mscale_all_dim`` and leaves out ``mscale``, which is the same in all models of the kind.
    """
    if parameters.format is not Format.GGUF:
        return model_rope(parameters, dims, style, in_folders=style), score_mscale(parameters)
    rope = model_rope(parameters, dims, style, factors)
    all_dims = 10 * parameters.number("rope.scaling.yarn_log_multiplier", 0.0)
    if parameters.text("rope.scaling.type", "linear") != "yarn" or not all_dims:
        return rope, 1.0
    given = parameters.positive_number("rope.scaling.attn_factor", 1.0)
    return replace(rope, magnitude=given), yarn_mscale(parameters.number("rope.scaling.factor", 1.0), all_dims) ** 2
