"""Which layers of a model have windows, which experts, and which read others' keys, as files of either format say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mlxr.models.architectures.sizes import Sizes
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

T = TypeVar("T")

LAYER_TYPES = {"full_attention": False, "sliding_attention": True}
"""Whether they see no more than the window."""


def expert_layers(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have experts, where a ``config.json`` may make some of them dense."""
    step = parameters.positive("decoder_sparse_step", 1)
    dense = parameters.integers("mlp_only_layers") or []
    return [(layer + 1) % step == 0 and layer not in dense for layer in range(layers)]


def keyed_layers(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have attention, in families whose GGUF files give the others no key heads."""
    return [count > 0 for count in parameters.each("attention.head_count_kv", layers)]


def attending_layers(
    parameters: Hyperparameters, kinds: list[str] | None, layers: int, known: Mapping[str, bool]
) -> list[bool] | None:
    """Returns which layers have attention, in families whose folders list their ``kinds`` of layers; None where a
    folder lists none."""
    if parameters.format is Format.GGUF:
        return keyed_layers(parameters, layers)
    return listed_layers(parameters, kinds, layers, known)


def routed_layers(weights: Weights, layers: int) -> list[bool]:
    """Returns which layers have experts, in families whose GGUF files tell by a router alone."""
    return [f"blk.{layer}.ffn_gate_inp.weight" in weights for layer in range(layers)]


def all_but_every(interval: int, layers: int) -> list[bool]:
    """Returns which layers are not the last of each ``interval`` layers."""
    return [(layer + 1) % interval != 0 for layer in range(layers)]


def all_but_first_of(interval: int, layers: int) -> list[bool]:
    """Returns which layers are not the first of each ``interval`` layers."""
    return [layer % interval != 0 for layer in range(layers)]


def every_so_many(
    parameters: Hyperparameters, period: str, offset: str, usual: tuple[int, int], layers: int
) -> list[bool]:
    """Returns whether each layer is one of every n-th: the setting ``period`` has n, and ``offset`` the first such
    layer, ``usual`` both where they are not there. Raises ``ModelFileError`` for a first one that is not below n."""
    step, first = parameters.positive(period, usual[0]), parameters.integer(offset, usual[1])
    if not 0 <= first < step:
        raise parameters.error(f"has {offset} {first}, which is not below {period} {step}")
    return [layer % step == first for layer in range(layers)]


def turning_layers(parameters: Hyperparameters, layers: int, interval: int) -> list[bool]:
    """Returns which layers have a rope, as files of Llama 4's kind say: by a list, or every n-th layer has none, n
    being ``interval`` where they do not say."""
    interval = parameters.positive("no_rope_layer_interval", interval)
    listed = parameters.flags("no_rope_layers", layers) if parameters.integers("no_rope_layers") else None
    return listed or all_but_every(interval, layers)


def windows(parameters: Hyperparameters, sizes: Sizes, used: bool = True) -> list[int]:
    """Returns how far back each layer sees, 0 for all the way. ``used``: whether a ``config.json`` that has a window
    but does not say whether it counts means that it does."""
    size = parameters.integer("attention.sliding_window", 0)
    if parameters.format is Format.GGUF:
        return [size if 0 < size < sizes.context_length else 0] * sizes.layers
    slides = sliding_layers(parameters, sizes.layers)
    if not parameters.flag("use_sliding_window", used) or size <= 0:
        return [0] * sizes.layers
    if slides is None:
        first = parameters.integer("max_window_layers", 0)
        slides = [number >= first for number in range(sizes.layers)]
    return [size if slide else 0 for slide in slides]


def patterned_windows(parameters: Hyperparameters, sizes: Sizes, pattern: int) -> list[int]:
    """Returns how far back each layer sees, 0 for all the way, in families where windows and layers that see everything
    take turns: a list tells, or every so many-th layer sees everything, ``pattern`` where a file does not say."""
    size = parameters.integer("attention.sliding_window", 0)
    key = "attention.sliding_window_pattern"
    slides = sliding_layers(parameters, sizes.layers)
    if slides is None and parameters.is_list(key):
        slides = parameters.flags(key, sizes.layers)
    elif slides is None:
        every = parameters.positive(key, pattern)
        slides = all_but_every(every, sizes.layers)
    if size <= 0 or slides is None:
        return [0] * sizes.layers
    return [size if slide else 0 for slide in slides]


def listed_windows(parameters: Hyperparameters, layers: int) -> list[bool] | None:
    """Returns which layers see no more than the window, in families whose GGUF files list them, too; None where a file
    has no list."""
    if parameters.format is Format.GGUF:
        return parameters.flags("attention.sliding_window_pattern", layers)
    return sliding_layers(parameters, layers)


def sliding_layers(parameters: Hyperparameters, layers: int) -> list[bool] | None:
    """Returns which layers see no more than the window, where a ``config.json`` lists its ``layer_types``. Raises
    ``UnsupportedModelError`` for other types."""
    return listed_layers(parameters, parameters.texts("layer_types"), layers, LAYER_TYPES)


def listed_layers(
    parameters: Hyperparameters, kinds: list[str] | None, layers: int, known: Mapping[str, T], key: str = "layer_types"
) -> list[T] | None:
    """Returns what ``known`` says of each of the listed kinds of layers; None where there is no list. ``key``: what
    files call the list. Raises ``ModelFileError`` for a list of another length, ``UnsupportedModelError`` for a kind
    that is not known."""
    if kinds is None:
        return None
    if len(kinds) != layers:
        raise parameters.error(f"lists {len(kinds)} {key} for {layers} layers")
    for kind in kinds:
        if kind not in known:
            reason = f"has layers of the type {kind[:60]!r}; mlxr knows {', '.join(known)}"
            raise UnsupportedModelError(parameters.path, reason)
    return [known[kind] for kind in kinds]


def dense_first(parameters: Hyperparameters, layers: int, usual: int) -> list[bool]:
    """Returns which layers have experts: all behind the first ones; ``usual``: how many have none where a folder does
    not say."""
    first = parameters.integer("leading_dense_block_count", 0 if parameters.format is Format.GGUF else usual)
    return [layer >= first for layer in range(layers)]


def sparse_layers(parameters: Hyperparameters, layers: int, usual: int, counting: Weights | None = None) -> list[bool]:
    """Returns which layers have experts, where a folder may list its ``mlp_layer_types``, or the layers that have none
    (``mlp_only_layers``), instead of counting the first ones. ``counting``: the tensors of a family whose GGUF files
    do not say how many come first.

    Raises ``ModelFileError`` for a list of another length or of other words.
    """
    if counting is not None and parameters.format is Format.GGUF:
        return routed_layers(counting, layers)
    if "mlp_only_layers" in parameters and "mlp_layer_types" not in parameters:
        return expert_layers(parameters, layers)
    kinds, dense = parameters.texts("mlp_layer_types"), dense_first(parameters, layers, usual)
    if kinds is None:
        return dense
    if len(kinds) != layers or not set(kinds) <= {"dense", "sparse"}:
        reason = f"has {len(kinds)} mlp_layer_types for {layers} layers, each of them 'dense' or 'sparse'"
        raise parameters.error(reason)
    return [kind == "sparse" for kind in kinds]


def kv_sources(parameters: Hyperparameters, slides: list[bool], shared: int) -> list[int | None]:
    """Returns for each layer the one whose keys and values it reads, None for its own: each of the last ``shared``
    layers reads those of the last layer of its kind before them."""
    first = len(slides) - shared
    if not 0 <= shared < len(slides) or not set(slides[first:]) <= set(slides[:first]):
        reason = f"lets {shared} of {len(slides)} layers read the keys of earlier ones of their kind, which it lacks"
        raise parameters.error(reason)
    last = {slide: number for number, slide in enumerate(slides[:first])}
    return [None] * first + [last[slide] for slide in slides[first:]]
