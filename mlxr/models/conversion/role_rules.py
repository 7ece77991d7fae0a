"""What becomes of each of a folder's tensors in a GGUF file: a rule for each role that formats keep in different ways,
and for each architecture those by which it differs from others.

A tensor whose role has no rule goes over as it is, by its name there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlxr.models.conversion import rules, transforms
from mlxr.models.conversion.rules import Rule
from mlxr.models.conversion.source_tensors import Model, SourceTensor
from mlxr.models.conversion.tensor_places import Place, by_expert, name_of, places_of
from mlxr.models.conversion.transforms import Readable
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.modelfile import StoredTensor

OFFSET_NORMS = frozenset(
    {"norm", "attention_norm", "feed_forward_norm", "attention_post_norm", "feed_forward_post_norm"}
    | {"query_norm", "key_norm"}
)
"""Norms that a format may store as their distance from 1."""

_SPLIT = rules.halves("experts_gate", "experts_up", always=True)

RULES: Mapping[str, Rule] = {
    "query": rules.heads(of_keys=False),
    "query_bias": rules.heads(of_keys=False),
    "key": rules.heads(of_keys=True),
    "key_bias": rules.heads(of_keys=True),
    **dict.fromkeys(OFFSET_NORMS, rules.norm),
    "query_key_value": rules.queries_keys_values,
    "query_key_value_bias": rules.queries_keys_values,
    "gate_up": rules.halves("gate", "up"),
    "shared_gate_up": rules.halves("shared_gate", "shared_up"),
    "experts_gate_up": _SPLIT,
    "experts_gate_up_turned": rules.turned(_SPLIT),
    "experts_gate_up_bias": rules.halves_of_biases,
    "experts_down_turned": rules.turned(rules.called("experts_down")),
    **{f"experts_{part}_together": rules.called(f"experts_{part}") for part in ("gate", "up", "down")},
    "key_value_up": rules.key_value_up,
    "conv": rules.taps,
    "delta_conv": rules.taps,
    "delta_log_decay": rules.delta_decay,
    "delta_heads": rules.delta_heads,
    "ssm_conv": rules.taps,
    "ssm_log_decay": rules.ssm_decay,
    "ssm_skip": rules.column,
    "ssm_norm": rules.ssm_norm,
}

_LATENT: Mapping[str, Rule] = {
    "query": rules.latent_rope("plain_dims"),
    "query_up": rules.latent_rope("plain_dims"),
    "latent": rules.latent_rope("rank"),
}
_TILED: Mapping[str, Rule] = {
    "delta_query_key_value": rules.value_rows(0, behind_keys=True),
    "delta_conv": rules.value_rows(0, behind_keys=True, rule=rules.taps),
    "delta_gate": rules.value_rows(0),
    "delta_beta": rules.value_rows(1),
    "delta_alpha": rules.value_rows(1),
    "delta_alpha_bias": rules.value_rows(1),
    "delta_log_decay": rules.value_rows(1, rule=rules.delta_decay),
    "delta_output": rules.value_columns,
}
"""Of files in which value heads of one key head lie apart."""

OWN: Mapping[str, Mapping[str, Rule]] = {
    "bert": {"positions": rules.positions},
    "gemma4": {"experts_gate_up": rules.as_it_is},
    "deepseek2": _LATENT,
    "mistral4": {**_LATENT, "experts_gate_up": rules.as_it_is},
    "minicpm3": {"key_value_up": rules.as_it_is},
    "granitehybrid": {
        "gate_up": rules.shared_or_not(rules.halves("gate", "up"), rules.halves("shared_gate", "shared_up")),
        "down": rules.shared_or_not(rules.as_it_is, rules.called("shared_down")),
    },
    "internlm2": {"query_key_value": rules.query_key_value_apart},
    "mamba": {"ssm_log_decay": rules.first_ssm_decay, "ssm_skip": rules.as_it_is},
    "jamba": {"ssm_log_decay": rules.first_ssm_decay, "ssm_skip": rules.as_it_is},
    "nemotron_h": {"query": rules.heads(of_keys=False, always=True), "key": rules.heads(of_keys=True, always=True)},
    "qwen35": _TILED,
    "qwen35moe": _TILED,
    "falcon-h1": {
        "embedding": rules.times("embedding_multiplier"),
        "head": rules.times("lm_head_multiplier"),
        "query": rules.times("attention_in_multiplier"),
        "key": rules.times("key_multiplier", "attention_in_multiplier"),
        "value": rules.times("attention_in_multiplier"),
        "output": rules.times("attention_out_multiplier"),
        "gate": rules.times("mlp_multipliers", at=0),
        "down": rules.times("mlp_multipliers", at=1),
        "ssm_input": rules.ssm_input,
        "ssm_output": rules.times("ssm_out_multiplier"),
    },
}
"""By GGUF's name for an architecture."""


def to_gguf(model: Model, tensors: Mapping[str, StoredTensor]) -> Iterator[tuple[str, Readable]]:
    """Yields the GGUF tensors that a folder's make, by their names there. Tensors that the family has no name for are
    left out (``leftovers`` has looked at them). Raises ``UnsupportedModelError`` for one that GGUF has no name for."""
    places = places_of(model.source.names, tensors)
    own = {**RULES, **OWN.get(model.architecture, {})}

    def named(tensor: str, role: str, layer: int | None) -> str:
        if role not in model.target.names:
            reason = f"has the tensor {tensor!r}, for which GGUF files of {model.architecture!r} have no name"
            raise UnsupportedModelError(model.path, f"{reason}; mlxr runs the folder as it is")
        return name_of(model.target.names, Place(role, layer))

    for (role, layer), parts in by_expert(places).items():
        yield named(parts[0], role, layer), transforms.together([tensors[part] for part in parts])
    for name, place in places.items():
        if place.expert is not None:
            continue
        rule = own.get(place.role, rules.as_it_is)
        for role, source in rule(SourceTensor(model, tensors[name], place)):
            yield named(name, role, place.layer), source
