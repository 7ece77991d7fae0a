"""A folder's ``config.json`` as GGUF metadata: a row for each setting, with its names there and the writer's method.

Keys and types are those of the ``gguf`` package's writer; which settings a file has is as llama.cpp's converter writes
it (``conversion/*.py``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlxr.models.errors import ModelFileError, UnsupportedModelError

Config = Mapping[str, Any]
"""A text model's settings, by the names in ``config.json``."""


class Added(NamedTuple):
    """One call of ``gguf.GGUFWriter``: ``add_`` and ``what``, with this value."""

    what: str
    value: Any


class Setting(NamedTuple):
    """``what``: as ``Added`` has it. ``keys``: what files call it; the first that there is counts. ``default``: where
    there is none; None leaves it out."""

    what: str
    keys: tuple[str, ...]
    default: Any = None


Computed = Callable[[Config], Iterable[Added]]

COMMON: tuple[Setting, ...] = (
    Setting("block_count", ("n_layers", "num_hidden_layers", "n_layer", "num_layers")),
    Setting(
        "context_length",
        ("max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length"),
    ),
    Setting("embedding_length", ("hidden_size", "n_embd", "dim")),
    Setting("feed_forward_length", ("intermediate_size", "n_inner", "hidden_dim")),
    Setting("head_count", ("num_attention_heads", "n_head", "n_heads")),
    Setting("head_count_kv", ("num_key_value_heads", "n_kv_heads")),
    Setting("layer_norm_rms_eps", ("rms_norm_eps", "norm_eps")),
    Setting("layer_norm_eps", ("layer_norm_eps", "layer_norm_epsilon", "norm_epsilon")),
    Setting("expert_count", ("num_local_experts", "num_experts", "n_routed_experts")),
    Setting("expert_used_count", ("num_experts_per_tok", "num_experts_per_token", "top_k_experts")),
    Setting("expert_group_count", ("n_group",)),
    Setting("expert_group_used_count", ("topk_group",)),
    Setting("key_length", ("head_dim",)),
    Setting("value_length", ("head_dim",)),
)
"""What any family may have."""


def rope_settings(config: Config) -> dict[str, Any]:
    """Returns the settings of the rope that sees everything, by today's names, from wherever a file has them."""
    found: dict[str, Any] = config.get("rope_parameters") or config.get("rope_scaling") or {}
    inner: dict[str, Any] = dict(found.get("full_attention") or found)
    for key in ("rope_theta", "partial_rotary_factor", "original_max_position_embeddings"):
        if inner.get(key) is None and config.get(key) is not None:
            inner[key] = config[key]
    if "rope_type" not in inner and "type" in inner:
        inner["rope_type"] = inner["type"]
    return inner


def sliding_base(config: Config) -> Any:
    """Returns the base of the rope of layers with a window, where they have one of their own."""
    found = config.get("rope_parameters") or {}
    inner = found.get("sliding_attention") or {}
    return inner.get("rope_theta", config.get("rope_local_base_freq"))


def rope(config: Config) -> Iterable[Added]:
    """Yields how positions turn."""
    inner = rope_settings(config)
    kind, factor = inner.get("rope_type"), inner.get("factor")
    if kind in ("linear", "yarn") and factor is not None:
        yield Added("rope_scaling_type", kind)
        yield Added("rope_scaling_factor", factor)
    if kind == "yarn" and factor is not None:
        yield Added("rope_scaling_orig_ctx_len", inner.get("original_max_position_embeddings"))
        yield Added("rope_scaling_yarn_ext_factor", inner.get("extrapolation_factor"))
        yield Added("rope_scaling_yarn_attn_factor", inner.get("attention_factor", inner.get("attn_factor")))
        yield Added("rope_scaling_yarn_beta_fast", inner.get("beta_fast"))
        yield Added("rope_scaling_yarn_beta_slow", inner.get("beta_slow"))
    if kind in ("su", "longrope"):
        yield Added("rope_scaling_type", "longrope")
    yield Added("rope_freq_base", inner.get("rope_theta"))
    yield Added("rope_freq_base_swa", sliding_base(config))


def head_size(config: Config) -> int:
    """Returns how many numbers a head has."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def rope_dimensions(config: Config) -> Iterable[Added]:
    """Yields how many of a head's dimensions turn: all."""
    yield Added("rope_dimension_count", head_size(config))


def llama_heads(config: Config) -> Iterable[Added]:
    """Yields the size of heads, which Llama's and Mistral's files may leave out; and that a vocabulary of 49,152 tokens
    (SmolLM's, Granite's small ones) begins with no BOS."""
    if config.get("model_type") in ("llama", "mistral"):
        yield Added("key_length", head_size(config))
        yield Added("value_length", head_size(config))
    if config.get("vocab_size") == 49152:
        yield Added("add_bos_token", False)


def rotary_share(default: float) -> Computed:
    """Returns what yields how many of a head's dimensions turn: a share of them."""

    def computed(config: Config) -> Iterable[Added]:
        share = rope_settings(config).get("partial_rotary_factor", default)
        yield Added("rope_dimension_count", int(share * head_size(config)))

    return computed


def no_scaling(config: Config) -> Iterable[Added]:
    yield Added("rope_scaling_type", "none")


def window_by_layer(config: Config) -> Iterable[Added]:
    """Yields a window, and which layers have it."""
    if config.get("sliding_window") is None:
        return
    yield Added("sliding_window", config["sliding_window"])
    kinds, every = config.get("layer_types"), config.get("sliding_window_pattern")
    layers = config["num_hidden_layers"]
    if kinds:
        yield Added("sliding_window_pattern", [kind == "sliding_attention" for kind in kinds])
    elif isinstance(every, str):
        yield Added("sliding_window_pattern", [every[layer % len(every)] == "L" for layer in range(layers)])
    elif isinstance(every, int):
        yield Added("sliding_window_pattern", [(layer + 1) % every != 0 for layer in range(layers)])


def olmo_window(config: Config) -> Iterable[Added]:
    """Yields OLMo 3's, whose files may leave out that each fourth layer has none."""
    if "sliding_window" in config:
        yield from window_by_layer({"sliding_window_pattern": 4, **config})
        yield Added("rope_freq_base_swa", rope_settings(config).get("rope_theta"))


def gemma3_window(config: Config) -> Iterable[Added]:
    if config.get("sliding_window_pattern") != 1:
        yield Added("sliding_window", config["sliding_window"])


def phi3_rope(config: Config) -> Iterable[Added]:
    """Yields Phi-3's, whose files name the context that it was first trained with; and a window of 0 for those that
    have none."""
    inner = rope_settings(config)
    share = inner.get("partial_rotary_factor", 1.0)
    width, heads = config["hidden_size"], config["num_attention_heads"]
    yield Added("rope_dimension_count", int(share * width) // heads)
    original = inner.get("original_max_position_embeddings", 4096)
    yield Added("rope_scaling_orig_ctx_len", original)
    if inner.get("long_factor"):
        scale = config["max_position_embeddings"] / original
        longer = math.sqrt(1 + math.log(scale) / math.log(original)) if scale > 1 else 1.0
        yield Added("rope_scaling_attn_factors", longer)
    yield Added("sliding_window", config.get("sliding_window") or 0)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a GGUF file of one architecture has besides ``COMMON`` and the rope, and what it has not.

    settings, computed: further rows.
    without: what is left out of those that all have.
    sentencepiece: whether a vocabulary is written as SentencePiece's where a folder has one.
    model_types: which of the family's folders are written; empty for all.
    pools: whether a file says how its states are pooled.
    unwritten: settings of which mlxr writes no files.
    """

    settings: tuple[Setting, ...] = ()
    computed: tuple[Computed, ...] = ()
    without: frozenset[str] = frozenset()
    sentencepiece: bool = False
    model_types: frozenset[str] = frozenset()
    pools: bool = False
    unwritten: tuple[str, ...] = ()


_HEADS = frozenset({"key_length", "value_length"})
_ROPE = frozenset({"rope_freq_base", "rope_freq_base_swa"})
_VOCABULARY = Setting("vocab_size", ("vocab_size",))
_LLAMA = Recipe((_VOCABULARY,), (rope_dimensions, llama_heads), sentencepiece=True)
_GRANITE = Recipe(
    (
        _VOCABULARY,
        Setting("attention_scale", ("attention_multiplier",)),
        Setting("embedding_scale", ("embedding_multiplier",)),
        Setting("residual_scale", ("residual_multiplier",)),
        Setting("logit_scale", ("logits_scaling",)),
    ),
    (rope_dimensions, llama_heads),
    _HEADS,
)
_EXPERT_SIZES = (
    Setting("expert_feed_forward_length", ("moe_intermediate_size",)),
    Setting("expert_shared_feed_forward_length", ("shared_expert_intermediate_size",)),
)
_GEMMA = Recipe(without=_ROPE, sentencepiece=True)

RECIPES: Mapping[str, Recipe] = {
    "bert": Recipe(
        (Setting("causal_attention", (), False),), without=_ROPE, model_types=frozenset({"bert"}), pools=True
    ),
    "llama": _LLAMA,
    "arcee": _LLAMA,
    "smollm3": _LLAMA,
    "granite": _GRANITE,
    "granitemoe": Recipe(
        (*_GRANITE.settings, Setting("expert_shared_feed_forward_length", ("shared_intermediate_size",))),
        _GRANITE.computed,
        _HEADS,
    ),
    "qwen2": Recipe(),
    "qwen2moe": Recipe(_EXPERT_SIZES),
    "qwen3": Recipe(),
    "qwen3moe": Recipe(_EXPERT_SIZES),
    "seed_oss": Recipe(),
    "starcoder2": Recipe(),
    "ernie4_5": Recipe(sentencepiece=True),
    "olmo2": Recipe(computed=(olmo_window,)),
    "olmoe": Recipe((Setting("layer_norm_rms_eps", (), 1e-5),)),
    "exaone4": Recipe((_VOCABULARY,), (window_by_layer,)),
    "command-r": Recipe((Setting("logit_scale", ("logit_scale",)),), (no_scaling,)),
    "cohere2": Recipe(
        (_VOCABULARY, Setting("logit_scale", ("logit_scale",)), Setting("sliding_window", ("sliding_window",))),
        (rotary_share(1.0), no_scaling),
    ),
    "glm4": Recipe(computed=(rotary_share(0.5),)),
    "stablelm": Recipe(
        (Setting("parallel_residual", ("use_parallel_residual",), True),), (rotary_share(0.25),), _HEADS | _ROPE
    ),
    "phi3": Recipe(computed=(phi3_rope,), without=_HEADS | {"rope_scaling_type"}, sentencepiece=True),
    "gemma": _GEMMA,
    "gemma2": Recipe(
        (
            Setting("attn_logit_softcapping", ("attn_logit_softcapping",)),
            Setting("final_logit_softcapping", ("final_logit_softcapping",)),
            Setting("sliding_window", ("sliding_window",)),
        ),
        without=_ROPE,
        sentencepiece=True,
    ),
    "gemma3": Recipe(
        (
            Setting("layer_norm_rms_eps", ("rms_norm_eps",), 1e-6),
            Setting("head_count", ("num_attention_heads",), 8),
            Setting("head_count_kv", ("num_key_value_heads",), 4),
            Setting("context_length", ("max_position_embeddings",), 131072),
            Setting("key_length", ("head_dim",), 256),
            Setting("value_length", ("head_dim",), 256),
            Setting("final_logit_softcapping", ("final_logit_softcapping",)),
        ),
        (gemma3_window,),
        sentencepiece=True,
        unwritten=("use_bidirectional_attention",),
    ),
}
"""By GGUF's name for an architecture: those that mlxr writes."""


def settings_of(path: Path, architecture: str, config: Config) -> dict[str, Any]:
    """Returns what the writer is told, by ``Added.what``. Raises ``ModelFileError`` for a setting that makes no sense,
    ``UnsupportedModelError`` for an architecture that mlxr does not write."""
    recipe = recipe_of(path, architecture, str(config.get("model_type", "")))
    if unwritten := next((key for key in recipe.unwritten if config.get(key)), None):
        raise UnsupportedModelError(path, f"has {unwritten}, of which mlxr writes no GGUF files; it runs the folder")
    found: dict[str, Any] = {}
    for setting in (*COMMON, *recipe.settings):
        value = next((config[key] for key in setting.keys if config.get(key) is not None), setting.default)
        if value is not None:
            found[setting.what] = value
    try:
        for computed in (rope, *recipe.computed):
            found |= {each.what: each.value for each in computed(config) if each.value is not None}
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ModelFileError(path, f"has a config.json that lacks a setting, or has it wrong: {error}") from None
    return {what: value for what, value in found.items() if what not in recipe.without}


def recipe_of(path: Path, architecture: str, model_type: str = "") -> Recipe:
    """Raises ``UnsupportedModelError`` for an architecture that mlxr does not write, naming those that it does."""
    recipe = RECIPES.get(architecture)
    if recipe is None or (recipe.model_types and model_type and model_type not in recipe.model_types):
        what = f"{architecture!r} from {model_type!r}" if recipe else repr(architecture)
        known = ", ".join(sorted(RECIPES))
        reason = f"is of the architecture {what}, of which mlxr writes no GGUF files yet; it writes {known}"
        raise UnsupportedModelError(path, f"{reason}. mlxr runs the folder as it is")
    return recipe
