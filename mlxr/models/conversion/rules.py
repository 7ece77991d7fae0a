"""Ways in which a tensor of a folder becomes one of a GGUF file, or several: each takes it with its place, and yields
what it makes by the roles that this has there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from mlxr.metal.specs import LatentSpec, RopeStyle
from mlxr.models.architectures.spec import EncoderSpec, Experts
from mlxr.models.conversion import transforms
from mlxr.models.conversion.source_tensors import SourceTensor
from mlxr.models.conversion.transforms import Floats, Readable

Made: TypeAlias = Iterator[tuple[str, Readable]]
Rule: TypeAlias = Callable[[SourceTensor], Made]


def as_it_is(given: SourceTensor) -> Made:
    yield given.role, given.tensor


def called(role: str) -> Rule:
    """As it is, by another role."""

    def rule(given: SourceTensor) -> Made:
        yield role, given.tensor

    return rule


def heads(of_keys: bool, always: bool = False, back: bool = False) -> Rule:
    """Rows of queries' heads, or of keys', in the order of GGUF's reordered files; ``always``: whatever the family's
    others are like. ``back``: from that order to a folder's."""

    def rule(given: SourceTensor) -> Made:
        if not (given.model.reordered or always):
            yield given.role, given.tensor
            return
        count = given.attention.kv_heads if of_keys else given.attention.heads
        order = transforms.neighbours(given.tensor.shape[0], count)
        yield given.role, transforms.in_order(given.tensor, np.argsort(order) if back else order)

    return rule


def queries_keys_values(given: SourceTensor) -> Made:
    """Queries, keys and values in one tensor: all of a kind together, where a folder has them by key head."""
    if not given.model.source.by_key_head:
        yield given.role, given.tensor
        return
    spec = given.attention
    each = spec.heads // spec.kv_heads + 2
    rows = np.arange(spec.kv_heads * each * spec.head_dim).reshape(spec.kv_heads, each, spec.head_dim)
    order = np.concatenate([rows[:, part].reshape(-1) for part in (slice(None, -2), -2, -1)])
    yield given.role, transforms.in_order(given.tensor, order)


def query_key_value_apart(given: SourceTensor) -> Made:
    """Queries, keys and values, which a folder has by key head in one tensor, each by itself in GGUF's order."""
    spec = given.attention
    each = spec.heads // spec.kv_heads + 2
    rows = np.arange(spec.kv_heads * each * spec.head_dim).reshape(spec.kv_heads, each, spec.head_dim)
    parts = {"query": rows[:, :-2], "key": rows[:, -2], "value": rows[:, -1]}
    for role, part in parts.items():
        own = part.reshape(-1)
        turns = role != "value" and given.model.reordered
        heads = spec.heads if role == "query" else spec.kv_heads
        order = own[transforms.neighbours(len(own), heads)] if turns else own
        yield role, transforms.in_order(given.tensor, order)


def norm(given: SourceTensor) -> Made:
    """Norms that a format may store as their distance from 1."""
    offset = np.float32(given.model.source.norm_offset - given.model.target.norm_offset)
    if not offset:
        yield given.role, given.tensor
        return
    yield given.role, transforms.computed(given.tensor, given.tensor.shape, lambda values: values + offset)


def turned(rule: Rule) -> Rule:
    """By ``rule``, with experts' matrices the other way round where inputs come first."""

    def instead(given: SourceTensor) -> Made:
        role = given.role.removesuffix("turned")
        tensor = transforms.turned(given.tensor) if _inputs_first(given) else given.tensor
        yield from rule(SourceTensor(given.model, tensor, given.place._replace(role=role)))

    return instead


def _inputs_first(given: SourceTensor) -> bool:
    """Tells it of experts' matrices. Where files may have them of either kind by one name, their shape tells, as where
    they are read (``NamedTensors``); those that are square are taken for inputs first."""
    names = given.model.source.names
    either = any(names[other] == names[given.role] for other in names if other != given.role)
    width_at = 2 if given.role.startswith("experts_down") else 1
    return not either or given.tensor.shape[width_at] == given.model.spec.width


def halves(first: str, second: str, always: bool = False) -> Rule:
    """Two matrices that a folder keeps above one another, where GGUF files keep each, or converters write them so."""

    def rule(given: SourceTensor) -> Made:
        if given.role in given.model.target.names and not always:
            yield given.role, given.tensor
            return
        for number, role in enumerate((first, second)):
            yield role, transforms.half(given.tensor, number, given.model.source.takes_turns)

    return rule


def shared_or_not(dense: Rule, shared: Rule) -> Rule:
    """Granite 4's perceptrons: beside experts they are what every token uses."""

    def rule(given: SourceTensor) -> Made:
        half = given.layer.feed_forward
        yield from (shared if isinstance(half, Experts) else dense)(given)

    return rule


def positions(given: SourceTensor) -> Made:
    """Learned positions, of which the first rows are of no token."""
    spec = given.model.spec
    first = spec.first_position if isinstance(spec, EncoderSpec) else 0
    if not first:
        yield given.role, given.tensor
        return
    yield given.role, transforms.in_order(given.tensor, np.arange(first, given.tensor.shape[0]))


def halves_of_biases(given: SourceTensor) -> Made:
    for number, role in enumerate(("experts_gate_bias", "experts_up_bias")):
        yield role, transforms.half_of_vectors(given.tensor, number, given.model.source.takes_turns)


def latent_rope(behind: str) -> Rule:
    """Rows that the rope turns, at the end of each head or of what all share, as neighbours where they are halves in
    the folder: GGUF files of latent attention know neighbours alone. ``behind``: of what a head has before them."""

    def rule(given: SourceTensor) -> Made:
        mixer = given.layer.mixer
        if not isinstance(mixer, LatentSpec) or mixer.rope is None or mixer.rope.style is RopeStyle.NORMAL:
            yield given.role, given.tensor
            return
        before: int = getattr(mixer, behind)
        each = before + mixer.rope_dims
        turned = before + transforms.neighbours(mixer.rope_dims, 1)
        one = np.concatenate([np.arange(before), turned])
        order = (np.arange(given.tensor.shape[0] // each)[:, None] * each + one).reshape(-1)
        yield given.role, transforms.in_order(given.tensor, order)

    return rule


def key_value_up(given: SourceTensor) -> Made:
    """What makes keys and values of latents, taken apart: keys' matrices the other way round, so that queries are taken
    to where latents are."""
    spec, names = given.latent, given.model.target.names
    if "key_up" not in names:
        yield given.role, given.tensor
        return
    heads, keys, values, rank = spec.heads, spec.plain_dims, spec.value_dims, spec.rank
    tensor = given.tensor

    def key_up(numbers: Floats) -> Floats:
        return numbers.reshape(heads, keys + values, rank)[:, :keys].swapaxes(1, 2)

    order = (np.arange(heads)[:, None] * (keys + values) + keys + np.arange(values)).reshape(-1)
    yield "key_up", transforms.computed(tensor, (heads, rank, keys), key_up)
    yield "value_up", transforms.reshaped(transforms.in_order(tensor, order), (heads, values, rank))


def minus_exponential(numbers: Floats) -> Floats:
    """Decays, of which folders keep logarithms of what is negated."""
    return (-np.exp(numbers.astype(np.float64))).astype(np.float32)


def delta_decay(given: SourceTensor) -> Made:
    yield "delta_decay", transforms.computed(given.tensor, given.tensor.shape, minus_exponential)


def ssm_decay(given: SourceTensor) -> Made:
    shape = (given.tensor.shape[0], 1)
    yield "ssm_decay", transforms.computed(given.tensor, shape, lambda values: minus_exponential(values)[:, None])


def first_ssm_decay(given: SourceTensor) -> Made:
    """Mamba's, one for each number of a channel's state."""
    yield "ssm_decay", transforms.computed(given.tensor, given.tensor.shape, minus_exponential)


def column(given: SourceTensor) -> Made:
    yield given.role, transforms.reshaped(given.tensor, (given.tensor.shape[0], 1))


def taps(given: SourceTensor) -> Made:
    """A convolution of each channel by itself, whose middle dimension says so."""
    yield given.role, transforms.reshaped(given.tensor, (given.tensor.shape[0], given.tensor.shape[-1]))


def ssm_norm(given: SourceTensor) -> Made:
    groups = given.mamba2.groups
    yield given.role, transforms.reshaped(given.tensor, (groups, given.tensor.shape[0] // groups))


def delta_heads(given: SourceTensor) -> Made:
    """Queries, keys, values and gates, which a folder has by key head, each kind together."""
    spec = given.delta
    each = spec.value_heads // spec.key_heads * spec.value_dim
    sizes = [spec.key_dim, spec.key_dim, each, each]
    whole, ends = sum(sizes), np.cumsum(sizes)
    starts = np.arange(spec.key_heads)[:, None] * whole
    kinds = [(starts + np.arange(end - size, end)).reshape(-1) for size, end in zip(sizes, ends, strict=True)]
    yield "delta_query_key_value", transforms.in_order(given.tensor, np.concatenate(kinds[:3]))
    yield "delta_gate", transforms.in_order(given.tensor, kinds[3])


def value_rows(size: int, behind_keys: bool = False, rule: Rule = as_it_is) -> Rule:
    """By ``rule``, with value heads in the order of ``transforms.tiled``: ``size`` rows each, the size of a head where
    it is 0; ``behind_keys``: of those that stand behind queries and keys."""

    def instead(given: SourceTensor) -> Made:
        spec = given.delta
        rows = size or spec.value_dim
        before = 2 * spec.key_heads * spec.key_dim if behind_keys else 0
        order = transforms.tiled(spec.value_heads * rows, spec.key_heads, rows)
        if spec.value_heads == spec.key_heads:
            yield from rule(given)
            return
        order = np.concatenate([np.arange(before), before + order])
        for role, source in rule(given):
            yield role, transforms.in_order(source, order)

    return instead


def value_columns(given: SourceTensor) -> Made:
    spec = given.delta
    order = transforms.tiled(spec.value_heads * spec.value_dim, spec.key_heads, spec.value_dim)
    yield given.role, transforms.columns_in_order(given.tensor, order)


def times(*keys: str, rule: Rule = as_it_is, at: int | None = None) -> Rule:
    """By ``rule``, times settings of the folder; ``at``: the place in a list that a setting is."""

    def instead(given: SourceTensor) -> Made:
        factors = [np.float32(number(given.model.config.get(key, 1.0), at)) for key in keys]
        for role, tensor in rule(given):
            yield role, transforms.computed(tensor, tensor.shape, partial(product, factors=factors))

    return instead


def product(values: Floats, factors: Sequence[np.float32]) -> Floats:
    """One after another, in float32, as others compute it."""
    for factor in factors:
        values = values * factor
    return values


def number(value: Any, at: int | None) -> Any:
    return value[at] if at is not None and isinstance(value, list | tuple) else value


def ssm_input(given: SourceTensor) -> Made:
    """Falcon-H1's, of which each part has a multiplier of its own."""
    spec, config = given.mamba2, given.model.config
    inner, states = spec.heads * spec.head_dim, spec.groups * spec.state_size
    parts = [inner, inner, states, states, spec.heads]
    each = np.repeat(np.asarray(config.get("ssm_multipliers") or [1.0] * 5, np.float32), parts)[:, None]
    factor = np.float32(config.get("ssm_in_multiplier", 1.0))
    yield given.role, transforms.computed(given.tensor, given.tensor.shape, lambda values: values * factor * each)
