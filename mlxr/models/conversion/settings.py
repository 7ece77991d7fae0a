"""A folder's ``config.json`` as GGUF metadata: a row for each setting, with its names there and the writer's method.

Keys and types are those of the ``gguf`` package's writer; which settings a file has is as llama.cpp's converter writes
it (``conversion/*.py``). What a layer is, or what follows from several settings, is taken from the spec that the family
reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlxr.models.architectures.families.family import ModelSpec
from mlxr.models.errors import ModelFileError, UnsupportedModelError

Config = Mapping[str, Any]
"""A text model's settings, by the names in ``config.json``."""


class Added(NamedTuple):
    """One call of ``gguf.GGUFWriter``: ``add_`` and ``what``, with this value. Where ``what`` begins with a dot it is a
    key under the architecture's name, for which the package has no method."""

    what: str
    value: Any


class Setting(NamedTuple):
    """``what``: as ``Added`` has it. ``keys``: what files call it; the first that there is counts. ``default``: where
    there is none; None leaves it out."""

    what: str
    keys: tuple[str, ...]
    default: Any = None


Computed = Callable[[Config], Iterable[Added]]
Described = Callable[[ModelSpec], Iterable[Added]]

COMMON: tuple[Setting, ...] = (
    Setting("block_count", ("n_layers", "num_hidden_layers", "n_layer", "num_layers")),
    Setting(
        "context_length",
        ("max_position_embeddings", "n_ctx", "n_positions", "max_length", "max_sequence_length", "model_max_length"),
    ),
    Setting("embedding_length", ("hidden_size", "n_embd", "dim")),
    Setting("feed_forward_length", ("dense_intermediate_size", "intermediate_size", "n_inner", "hidden_dim")),
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


ROPE_KEYS: Mapping[str, tuple[str, ...]] = {
    "rope_theta": ("global_rope_theta", "rope_theta", "rotary_emb_base"),
    "partial_rotary_factor": ("partial_rotary_factor", "rope_pct"),
    "original_max_position_embeddings": ("original_max_position_embeddings",),
}
"""Settings of the rope that files may have outside, by today's names."""


def rope_settings(config: Config) -> dict[str, Any]:
    """Returns the settings of the rope that sees everything, by today's names, from wherever a file has them."""
    found: dict[str, Any] = config.get("rope_parameters") or config.get("rope_scaling") or {}
    inner: dict[str, Any] = dict(found.get("full_attention") or found)
    for key, names in ROPE_KEYS.items():
        value = next((config[name] for name in names if config.get(name) is not None), None)
        if inner.get(key) is None and value is not None:
            inner[key] = value
    if "rope_type" not in inner and "type" in inner:
        inner["rope_type"] = inner["type"]
    return inner


def sliding_base(config: Config) -> Any:
    """Returns the base of the rope of layers with a window, where they have one of their own."""
    found = config.get("rope_parameters") or {}
    inner = found.get("sliding_attention") or {}
    return inner.get("rope_theta", config.get("rope_local_base_freq", config.get("local_rope_theta")))


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
    if sections := inner.get("mrope_section"):
        yield Added("rope_dimension_sections", [*sections, 0, 0, 0, 0][:4])
    yield Added("rope_freq_base", inner.get("rope_theta"))
    yield Added("rope_freq_base_swa", sliding_base(config))


def scoring(config: Config) -> Iterable[Added]:
    """Yields how experts are scored, where a file says it."""
    if (name := config.get("scoring_func")) is not None:
        yield Added("expert_gating_func", GATING[name])


GATING: Mapping[str, int] = {"softmax": 1, "sigmoid": 2}
"""GGUF's numbers for ways to score experts."""


def head_size(config: Config) -> int:
    """Returns how many numbers a head has."""
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a GGUF file of one architecture has besides ``COMMON`` and the rope, and what it has not.

    settings, computed, described: further rows.
    without: what is left out of those that all have.
    sentencepiece: whether a vocabulary is written as SentencePiece's where a folder has one.
    vocabulary: GGUF's name for the kind of vocabulary, where the family has one of its own.
    model_types: which of the family's folders are written; empty for all.
    unwritten: settings of which mlxr writes no files.
    variant: returns the architecture that a model's file names instead of its family's; "" where it names that.
    """

    settings: tuple[Setting, ...] = ()
    computed: tuple[Computed, ...] = ()
    described: tuple[Described, ...] = ()
    without: frozenset[str] = frozenset()
    sentencepiece: bool = False
    vocabulary: str = ""
    model_types: frozenset[str] = frozenset()
    unwritten: tuple[str, ...] = ()
    variant: Callable[[ModelSpec], str] | None = None


def settings_of(path: Path, recipe: Recipe, config: Config, spec: ModelSpec) -> dict[str, Any]:
    """Returns what the writer is told, by ``Added.what``. Raises ``ModelFileError`` for a setting that makes no sense,
    ``UnsupportedModelError`` for one that mlxr does not write."""
    if unwritten := next((key for key in recipe.unwritten if config.get(key)), None):
        raise UnsupportedModelError(path, f"has {unwritten}, of which mlxr writes no GGUF files; it runs the folder")
    found: dict[str, Any] = {}
    for setting in (*COMMON, *recipe.settings):
        value = next((config[key] for key in setting.keys if config.get(key) is not None), setting.default)
        if value is not None:
            found[setting.what] = value
    try:
        for computed in (rope, scoring, *recipe.computed):
            found |= {each.what: each.value for each in computed(config) if each.value is not None}
        for described in recipe.described:
            found |= {each.what: each.value for each in described(spec)}
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ModelFileError(path, f"has a config.json that lacks a setting, or has it wrong: {error}") from None
    return {what: value for what, value in found.items() if what not in recipe.without}
