"""Heads of Gemma 4's two kinds of layers, with a window and without, as files of either format tell them."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.models.architectures.heads import require_equal_values, require_even_heads
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, Sizes
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

HEAD_DIM, WHOLE_HEAD_DIM = 256, 512


@dataclass(frozen=True, slots=True)
class Heads:
    """Keys and values of one layer."""

    kv_heads: int
    head_dim: int


def heads_of(parameters: Hyperparameters, sizes: Sizes, slides: list[bool]) -> list[Heads]:
    """Returns each layer's. Files in either format differ in what is the exception, layers with a window or others."""
    in_gguf = parameters.format is Format.GGUF
    found = _heads_in_gguf(parameters, sizes, slides) if in_gguf else _heads_in_folder(parameters, sizes, slides)
    for own in set(found):
        require_even_heads(parameters, sizes.heads, own.kv_heads)
        if own.head_dim % 2:
            raise parameters.error(f"has heads of {own.head_dim} numbers, which no rope can turn")
    return found


def _heads_in_gguf(parameters: Hyperparameters, sizes: Sizes, slides: list[bool]) -> list[Heads]:
    whole = parameters.positive("attention.key_length", most=MAX_HEAD_DIM)
    near = parameters.positive("attention.key_length_swa", whole, MAX_HEAD_DIM)
    if (turned := parameters.positive("rope.dimension_count", whole)) != whole:
        raise UnsupportedModelError(parameters.path, f"turns {turned} of {whole} dimensions of a head by its rope")
    for key, dim in (("attention.value_length", whole), ("attention.value_length_swa", near)):
        require_equal_values(parameters, dim, key)
    kv_heads = parameters.positives("attention.head_count_kv", len(slides), sizes.heads, MAX_HEADS)
    return [Heads(count, near if slide else whole) for count, slide in zip(kv_heads, slides, strict=True)]


def _heads_in_folder(parameters: Hyperparameters, sizes: Sizes, slides: list[bool]) -> list[Heads]:
    """transformers lists the layers that are exceptions since version 5.24; before, two settings told of them."""
    near = Heads(
        parameters.positive("attention.head_count_kv", sizes.heads, MAX_HEADS),
        parameters.positive("attention.key_length", HEAD_DIM, MAX_HEAD_DIM),
    )
    whole = near
    if not any(key.startswith("per_layer_config.") for key in parameters.values):
        count = parameters.positive("num_global_key_value_heads", near.kv_heads, MAX_HEADS)
        if not parameters.flag("attention_k_eq_v", False):
            count = near.kv_heads
        whole = Heads(count, parameters.positive("global_head_dim", WHOLE_HEAD_DIM, MAX_HEAD_DIM))
    found = []
    for layer, slide in enumerate(slides):
        usual, at = near if slide else whole, f"per_layer_config.{layer}"
        count = parameters.positive(f"{at}.num_key_value_heads", usual.kv_heads, MAX_HEADS)
        found.append(Heads(count, parameters.positive(f"{at}.head_dim", usual.head_dim, MAX_HEAD_DIM)))
    return found
