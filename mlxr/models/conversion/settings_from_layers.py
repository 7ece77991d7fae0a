"""Settings of a GGUF file that follow from what a model's layers are, as its family reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mlxr.metal.specs import (
    AttentionAndMamba2Spec,
    AttentionSpec,
    GatedDeltaNetSpec,
    LatentSpec,
    Mamba1Spec,
    Mamba2Spec,
)
from mlxr.models.architectures.families.family import ModelSpec
from mlxr.models.architectures.spec import MLP, EncoderSpec, Experts
from mlxr.models.conversion.settings import Added

T = TypeVar("T")


def mixers(spec: ModelSpec, kind: type[T]) -> Iterator[T]:
    """Yields the mixers of that kind, from the first layer on, those within others too."""
    for layer in spec.layers:
        mixer = layer.mixer
        parts = (mixer.attention, mixer.mamba2) if isinstance(mixer, AttentionAndMamba2Spec) else (mixer,)
        yield from (part for part in parts if isinstance(part, kind))


def experts(spec: ModelSpec) -> Experts | None:
    """Returns the first mixture of experts; None where there is none."""
    return next((layer.feed_forward for layer in spec.layers if isinstance(layer.feed_forward, Experts)), None)


def experts_hidden(spec: ModelSpec) -> Iterable[Added]:
    """Yields how wide an expert is."""
    if (found := experts(spec)) is not None:
        yield Added("expert_feed_forward_length", found.hidden)


def shared_experts(spec: ModelSpec) -> Iterable[Added]:
    """Yields how many experts every token uses, where layers have such, and how wide these are together."""
    if (found := experts(spec)) is not None and found.shared_hidden:
        yield Added("expert_shared_feed_forward_length", found.shared_hidden)
        yield Added("expert_shared_count", max(1, found.shared_hidden // found.hidden))


def sigmoid(spec: ModelSpec) -> Iterable[Added]:
    """Yields that scores of experts are sigmoids."""
    yield Added("expert_gating_func", 2)


def dense_first(spec: ModelSpec) -> Iterable[Added]:
    """Yields how many layers at the beginning have no experts."""
    sparse = [isinstance(layer.feed_forward, Experts) for layer in spec.layers]
    yield Added("leading_dense_block_count", sparse.index(True) if True in sparse else len(sparse))


def key_heads(spec: ModelSpec) -> Iterable[Added]:
    """Yields the key heads of each layer, none where it has no attention."""
    layers = [layer.mixer for layer in spec.layers]
    yield Added("head_count_kv", [mixer.kv_heads if isinstance(mixer, AttentionSpec) else 0 for mixer in layers])


def windows(spec: ModelSpec) -> Iterable[Added]:
    """Yields which layers have a window."""
    layers = [layer.mixer for layer in spec.layers]
    pattern = [isinstance(mixer, AttentionSpec) and mixer.window > 0 for mixer in layers]
    yield Added("sliding_window_pattern", pattern)


def delta_nets(spec: ModelSpec) -> Iterable[Added]:
    """Yields the sizes of layers of the gated delta rule, and which these are."""
    delta = next(mixers(spec, GatedDeltaNetSpec), None)
    if delta is None:
        return
    yield Added("ssm_conv_kernel", delta.taps)
    yield Added("ssm_state_size", delta.key_dim)
    yield Added("ssm_group_count", delta.key_heads)
    yield Added("ssm_time_step_rank", delta.value_heads)
    yield Added("ssm_inner_size", delta.value_heads * delta.value_dim)
    recurrent = [isinstance(layer.mixer, GatedDeltaNetSpec) for layer in spec.layers]
    yield Added(".attention.recurrent_layers", recurrent)


def state_spaces(spec: ModelSpec) -> Iterable[Added]:
    """Yields the sizes of Mamba-2 layers."""
    if (mamba2 := next(mixers(spec, Mamba2Spec), None)) is None:
        return
    yield Added("ssm_conv_kernel", mamba2.taps)
    yield Added("ssm_state_size", mamba2.state_size)
    yield Added("ssm_group_count", mamba2.groups)
    yield Added("ssm_inner_size", mamba2.heads * mamba2.head_dim)
    yield Added("ssm_time_step_rank", mamba2.heads)


def first_state_spaces(spec: ModelSpec) -> Iterable[Added]:
    """Yields the sizes of Mamba layers, and of those alone whether time steps, B and C are normed."""
    if (mamba := next(mixers(spec, Mamba1Spec), None)) is None:
        return
    yield Added("ssm_conv_kernel", mamba.taps)
    yield Added("ssm_inner_size", mamba.inner)
    yield Added("ssm_state_size", mamba.state_size)
    yield Added("ssm_time_step_rank", mamba.step_rank)
    if all(isinstance(layer.mixer, Mamba1Spec) for layer in spec.layers):
        yield Added("ssm_dt_b_c_rms", mamba.inner_eps is not None)


def turned(spec: ModelSpec) -> Iterable[Added]:
    """Yields how many of a head's dimensions turn."""
    rope = next(mixers(spec, AttentionSpec)).rope
    yield Added("rope_dimension_count", 2 * len(rope.inverse_frequencies) if rope else 0)


def shared_hidden(spec: ModelSpec) -> Iterable[Added]:
    """Yields how wide experts that every token uses are together."""
    if (found := experts(spec)) is not None and found.shared_hidden:
        yield Added("expert_shared_feed_forward_length", found.shared_hidden)


def latent_heads(spec: ModelSpec) -> Iterable[Added]:
    """Yields the sizes of latent attention, which files have as attention of one long key head."""
    latent = next(mixers(spec, LatentSpec))
    yield Added("head_count_kv", 1)
    yield Added("kv_lora_rank", latent.rank)
    yield Added("key_length", latent.kept)
    yield Added("value_length", latent.rank)
    yield Added("key_length_mla", latent.plain_dims + latent.rope_dims)
    yield Added("value_length_mla", latent.value_dims)
    yield Added("rope_dimension_count", latent.rope_dims)


def heads(spec: ModelSpec) -> Iterable[Added]:
    """Yields the size of heads where all are equal."""
    size = next(mixers(spec, AttentionSpec)).head_dim
    yield Added("key_length", size)
    yield Added("value_length", size)


def hidden(spec: ModelSpec) -> Iterable[Added]:
    """Yields how wide perceptrons are, which a folder may tell before they are fitted."""
    first = spec.layers[0].feed_forward
    if isinstance(first, MLP):
        yield Added("feed_forward_length", first.hidden)


def gemma4_heads(spec: ModelSpec) -> Iterable[Added]:
    """Yields what layers with a window and those that see everything have each."""
    layers = [layer.mixer for layer in spec.layers if isinstance(layer.mixer, AttentionSpec)]
    near = next((mixer for mixer in layers if mixer.window), layers[0])
    whole = next((mixer for mixer in layers if not mixer.window), layers[-1])
    for which, mixer in (("", whole), ("_swa", near)):
        for what in ("key_length", "value_length", "rope_dimension_count"):
            yield Added(f"{what}{which}", mixer.head_dim)
    if near.kv_heads != whole.kv_heads:
        yield Added("head_count_kv", [mixer.kv_heads for mixer in layers])
    wide = [layer.feed_forward for layer in spec.layers]
    sizes = [half.shared_hidden if isinstance(half, Experts) else half.hidden if half else 0 for half in wide]
    if len(set(sizes)) > 1:
        yield Added("feed_forward_length", sizes)
    yield from experts_hidden(spec)


def positions_of_hybrids(spec: ModelSpec) -> Iterable[Added]:
    """Yields whether attention has a rope; the context of models without one has no end."""
    turns = any(mixer.rope is not None for mixer in mixers(spec, AttentionSpec))
    yield Added("rope_scaling_finetuned", turns)
    if not turns:
        yield Added("context_length", 1 << 20)


def granite_without_state_spaces(spec: ModelSpec) -> str:
    """Returns Granite 3's name for models of attention alone."""
    if any(True for _ in mixers(spec, Mamba2Spec)):
        return ""
    return "granite" if experts(spec) is None else "granitemoe"


def nemotron_halves(spec: ModelSpec) -> Iterable[Added]:
    """Yields Nemotron-H's: of each layer how wide its perceptrons are, and what its mixtures are."""
    yield from heads(spec)
    halves = [layer.feed_forward for layer in spec.layers]
    yield Added("feed_forward_length", [0 if half is None else half.hidden for half in halves])
    yield Added("rope_scaling_finetuned", False)
    if (found := experts(spec)) is not None:
        yield from (*experts_hidden(spec), *shared_experts(spec))
        yield Added("expert_count", found.spec.experts)
        yield Added("expert_used_count", found.spec.used)
        yield Added("expert_group_count", found.spec.groups)
        yield Added("expert_group_used_count", found.spec.used_groups)
        yield Added("expert_shared_count", int(found.shared_hidden > 0))
        yield Added("expert_weights_norm", found.spec.normalized)
        yield Added("expert_weights_scale", found.spec.scale)
        if found.latent:
            yield Added("moe_latent_size", found.latent)


def nemotron_with_experts(spec: ModelSpec) -> str:
    return "" if experts(spec) is None else "nemotron_h_moe"


def falcon_key_heads(spec: ModelSpec) -> Iterable[Added]:
    yield Added("head_count_kv", next(mixers(spec, AttentionSpec)).kv_heads)


def embedding_gemma(spec: ModelSpec) -> str:
    return "gemma-embedding" if isinstance(spec, EncoderSpec) else ""


def learned_positions(spec: ModelSpec) -> Iterable[Added]:
    """Yields how many positions there are, without those in front that belong to no token."""
    if isinstance(spec, EncoderSpec) and spec.first_position:
        yield Added("context_length", spec.positions - spec.first_position)
