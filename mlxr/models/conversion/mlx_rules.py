"""What becomes of each tensor of a model in an MLX folder: a rule for each role that formats keep in different ways,
for folders of Hugging Face's and for GGUF files.

A tensor whose role has no rule goes over as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from mlxr.models.conversion import rules, transforms
from mlxr.models.conversion.role_rules import OFFSET_NORMS
from mlxr.models.conversion.rules import Made, Rule
from mlxr.models.conversion.settings_from_layers import experts
from mlxr.models.conversion.source_tensors import Model, SourceTensor
from mlxr.models.conversion.tensor_places import Place, by_expert, name_of, places_of
from mlxr.models.conversion.transforms import Floats, Readable
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.modelfile import StoredTensor


def taps_last(given: SourceTensor) -> Made:
    """A convolution of each channel by itself, as MLX shapes it: channels, taps, one."""
    shape = given.tensor.shape
    yield given.role, transforms.reshaped(given.tensor, (shape[0], max(shape[1:]), 1))


def logarithm(role: str) -> Rule:
    """Logarithms of decays that are negated, of ``role``."""

    def rule(given: SourceTensor) -> Made:
        def logarithms(values: Floats) -> Floats:
            return np.log(-values.astype(np.float64)).astype(np.float32).reshape(-1)

        yield role, transforms.computed(given.tensor, (given.tensor.shape[0],), logarithms)

    return rule


def flat(given: SourceTensor) -> Made:
    """A vector, which the file has as rows or columns."""
    size = int(np.prod(given.tensor.shape))
    yield given.role, transforms.computed(given.tensor, (size,), lambda values: values.reshape(-1))


def by_key_head(size: int, behind_keys: bool = False, rule: Rule = rules.as_it_is) -> Rule:
    """By ``rule``, with value heads of one key head together, where a file has them apart (``rules.value_rows``)."""

    def instead(given: SourceTensor) -> Made:
        spec = given.delta
        if not spec.tiled or spec.value_heads == spec.key_heads:
            yield from rule(given)
            return
        rows = size or spec.value_dim
        before = 2 * spec.key_heads * spec.key_dim if behind_keys else 0
        order = np.argsort(transforms.tiled(spec.value_heads * rows, spec.key_heads, rows))
        yield from rule(given.of(transforms.in_order(given.tensor, np.r_[:before, before + order])))

    return instead


def heads_in_one(given: SourceTensor) -> Made:
    """Queries, keys and values, and gates, by key head, where MLX has all in one matrix and the file has two."""
    spec, model = given.delta, given.model
    if given.role in model.target.names:
        yield from by_key_head(0, behind_keys=True)(given)
        return
    gate = model.at[Place("delta_gate", given.place.layer)]
    keys, each = spec.key_heads * spec.key_dim, spec.value_heads // spec.key_heads * spec.value_dim
    sizes = [(0, spec.key_dim), (keys, spec.key_dim), (2 * keys, each), (2 * keys + spec.key_heads * each, each)]
    parts = [
        np.arange(begin + head * size, begin + (head + 1) * size)
        for head in range(spec.key_heads)
        for begin, size in sizes
    ]
    yield "delta_heads", transforms.in_order(transforms.below(given.tensor, gate), np.concatenate(parts))


def if_named(given: SourceTensor) -> Made:
    """As it is, or nothing where another tensor has taken it up."""
    if given.role in given.model.target.names:
        yield given.role, given.tensor


def joined(second: str, role: str) -> Rule:
    """Above the tensor of a ``second`` role, where MLX has both in one of ``role``."""

    def rule(given: SourceTensor) -> Made:
        if given.role in given.model.target.names:
            yield given.role, given.tensor
            return
        yield role, transforms.below(given.tensor, given.model.at[Place(second, given.place.layer)])

    return rule


def second_deepseek(given: SourceTensor) -> bool:
    """Tells whether the model is DeepSeek's second, of which mlx-lm has keys' and values' matrices in one."""
    found = experts(given.model.spec)
    return given.model.architecture == "deepseek2" and found is not None and not found.spec.sigmoid


def latent_keys(given: SourceTensor) -> Made:
    """What takes queries to latents, or with what makes values of these the matrix that makes both."""
    if not second_deepseek(given):
        yield given.role, given.tensor
        return
    spec, values = given.latent, given.model.at[Place("value_up", given.place.layer)]

    def whole(keys: Floats) -> Floats:
        return np.concatenate([keys.swapaxes(1, 2), transforms.values_of(values)], axis=1).reshape(-1, spec.rank)

    shape = (spec.heads * (spec.plain_dims + spec.value_dims), spec.rank)
    yield "key_value_up", transforms.computed(given.tensor, shape, whole)


def latent_values(given: SourceTensor) -> Made:
    """As it is, but where ``latent_keys`` has it."""
    if not second_deepseek(given):
        yield given.role, given.tensor


def one_name_for_both(given: SourceTensor) -> Made:
    """Gates above ups, which some GGUF files call ups."""
    names = given.model.source.names
    yield "gate_up" if names["up"] == names.get("gate_up") else "up", given.tensor


def columns_by_key_head(given: SourceTensor) -> Made:
    spec = given.delta
    if not spec.tiled or spec.value_heads == spec.key_heads:
        yield given.role, given.tensor
        return
    order = np.argsort(transforms.tiled(spec.value_heads * spec.value_dim, spec.key_heads, spec.value_dim))
    yield given.role, transforms.columns_in_order(given.tensor, order)


def halves(first: str, second: str) -> Rule:
    """Two matrices that are above one another, where MLX has a name for each."""

    def rule(given: SourceTensor) -> Made:
        names = given.model.target.names
        for number, role in enumerate((first, second)):
            if "{expert}" in names.get(role, "{expert}") and f"{role}_together" not in names:
                yield given.role, given.tensor
                return
            yield role, transforms.half(given.tensor, number, given.model.source.takes_turns)

    return rule


EXPERTS = halves("experts_gate", "experts_up")

FROM_FOLDER: Mapping[str, Rule] = {
    **dict.fromkeys(OFFSET_NORMS, rules.norm),
    "experts_gate_up": EXPERTS,
    "experts_gate_up_turned": rules.turned(EXPERTS),
    "experts_gate_up_bias": rules.halves_of_biases,
    "experts_down_turned": rules.turned(rules.called("experts_down")),
    "conv": taps_last,
    "delta_conv": taps_last,
    "delta_query_conv": taps_last,
    "delta_key_conv": taps_last,
    "delta_value_conv": taps_last,
    "ssm_conv": taps_last,
}

OWN_FROM_FOLDER: Mapping[str, Mapping[str, Rule]] = {
    "granitehybrid": {
        "gate_up": rules.shared_or_not(halves("gate", "up"), rules.as_it_is),
        "down": rules.shared_or_not(rules.as_it_is, rules.called("shared_down")),
    }
}
"""By the family's name."""

FROM_GGUF: Mapping[str, Rule] = {
    **dict.fromkeys(OFFSET_NORMS, rules.norm),
    "query": rules.heads(of_keys=False, back=True),
    "query_bias": rules.heads(of_keys=False, back=True),
    "key": rules.heads(of_keys=True, back=True),
    "key_bias": rules.heads(of_keys=True, back=True),
    "up": one_name_for_both,
    "key_up": latent_keys,
    "value_up": latent_values,
    "shared_gate": joined("shared_up", "shared_gate_up"),
    "shared_up": if_named,
    "experts_gate_up": EXPERTS,
    "conv": taps_last,
    "delta_conv": by_key_head(0, behind_keys=True, rule=taps_last),
    "delta_decay": by_key_head(1, rule=logarithm("delta_log_decay")),
    "delta_query_key_value": heads_in_one,
    "delta_gate": by_key_head(0, rule=if_named),
    "delta_beta": by_key_head(1),
    "delta_alpha": by_key_head(1),
    "delta_alpha_bias": by_key_head(1),
    "delta_output": columns_by_key_head,
    "ssm_conv": taps_last,
    "ssm_decay": logarithm("ssm_log_decay"),
    "ssm_skip": flat,
    "ssm_norm": flat,
}


def to_mlx(
    model: Model, tensors: Mapping[str, StoredTensor], own: Mapping[str, Rule]
) -> Iterator[tuple[str, str, Readable]]:
    """Yields an MLX folder's tensors: names, roles, and what they are made of. Raises ``UnsupportedModelError`` for one
    that MLX has no name for."""
    names = model.target.names
    places = places_of(model.source.names, tensors)
    model = replace(model, at={place: tensors[name] for name, place in places.items()})

    def named(tensor: str, role: str, layer: int | None) -> str:
        for each in (f"{role}_together", role, role.removesuffix("_together")):
            if each in names and "{expert}" not in names[each]:
                return model.target.written_below + name_of(names, Place(each, layer))
        reason = f"has the tensor {tensor!r}, for which mlxr knows no name in MLX folders"
        raise UnsupportedModelError(model.path, f"{reason}; it runs the model as it is")

    for (role, layer), parts in by_expert(places).items():
        if f"{role}_together" in names or "{expert}" not in names.get(role, "{expert}"):
            yield named(parts[0], role, layer), role, transforms.together([tensors[part] for part in parts])
        else:
            for part in parts:
                yield part, role, tensors[part]
    for name, place in places.items():
        if place.expert is not None:
            continue
        rule = own.get(place.role, rules.as_it_is)
        for role, made in rule(SourceTensor(model, tensors[name], place)):
            yield named(name, role, place.layer), role, made
