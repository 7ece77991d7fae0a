"""Granite 4 (IBM 2025): Mamba-2 in most layers and attention, mostly without a rope, in others; Granite's multipliers;
dense, or a mixture of experts beside a perceptron that every token uses.

Files of models without Mamba-2 layers are Granite 3's in GGUF, and of this family in folders.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Mamba2Spec, RopeStyle
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families import granite
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import keyed_layers, listed_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HIDDEN, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

KINDS = {"mamba": False, "linear_attention": False, "attention": True, "full_attention": True}
"""Of layers in a ``config.json``, and whether they have attention."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    whole = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    residual = granite.residual(parameters)
    sizes = replace(whole, norm_eps=whole.norm_eps / residual**2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL) if _turns(parameters) else None
    attention, half = sizes.attention(rope, scale_of(parameters, sizes.head_dim)), _half(parameters, sizes)
    attends = _attends(parameters, sizes.layers)
    layer = LayerSpec(attention, half)
    others = layer if all(attends) else _recurrent(parameters, sizes, whole.norm_eps, half)
    embedding_scale = parameters.positive_number("embedding_scale", 1.0) / residual
    spec = sizes.decoder([layer if own else others for own in attends], embedding_scale)
    return replace(spec, logit_scale=1.0 / granite.logits_divided_by(parameters))


def _recurrent(parameters: Hyperparameters, sizes: Sizes, gate_eps: float, half: FeedForward) -> LayerSpec:
    biases = state_spaces.biases(parameters, "mamba_proj_bias", "mamba_conv_bias")
    return LayerSpec(_state_space(parameters, sizes, gate_eps), half, biases=biases)


def _state_space(parameters: Hyperparameters, sizes: Sizes, gate_eps: float) -> Mamba2Spec:
    head_dim = 0
    if parameters.format is not Format.GGUF:
        inner = parameters.positive("mamba_expand", 2) * sizes.width
        heads = parameters.positive("mamba_n_heads")
        automatic = parameters.values.get("mamba_d_head", "auto") == "auto"
        head_dim = inner // heads if automatic else parameters.positive("mamba_d_head", most=MAX_HEAD_DIM)
        if automatic:
            parameters.text("mamba_d_head", "auto")
        if head_dim * heads != inner:
            reason = f"has {heads} heads of {head_dim} numbers in its state spaces, where mamba_expand makes {inner}"
            raise parameters.error(reason)
    return state_spaces.mamba2_spec(parameters, state_spaces.FOLDER_KEYS, head_dim, sizes.norm_eps, gate_eps)


def _half(parameters: Hyperparameters, sizes: Sizes) -> FeedForward:
    gguf = parameters.format is Format.GGUF
    key = "expert_shared_feed_forward_length" if gguf else "shared_intermediate_size"
    shared = parameters.integer(key, 0)
    if not 0 <= shared <= MAX_HIDDEN:
        raise parameters.error(f"has a perceptron of {shared} numbers; mlxr takes at most {MAX_HIDDEN}")
    if parameters.integer("expert_count", 0):
        experts = sizes.experts(parameters, Activation.SILU, normalized=True, hidden=sizes.hidden)
        return replace(experts, shared_hidden=shared)
    dense = sizes.mlp(Activation.SILU)
    return dense if gguf else replace(dense, hidden=shared or sizes.hidden)


def _turns(parameters: Hyperparameters) -> bool:
    """Returns whether attention has a rope, for which GGUF has a switch of another name."""
    if parameters.format is Format.GGUF:
        return parameters.flag("rope.scaling.finetuned", True)
    kind = parameters.text("position_embedding_type", "nope")
    if kind not in ("rope", "nope"):
        reason = f"has position embeddings of the type {kind[:60]!r}; mlxr knows rope and nope"
        raise UnsupportedModelError(parameters.path, reason)
    return kind == "rope"


def _attends(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have attention; the others have no key heads in GGUF files."""
    if parameters.format is Format.GGUF:
        return keyed_layers(parameters, layers)
    kinds = parameters.texts("layer_types") or parameters.texts("layers_block_type")
    listed = listed_layers(parameters, kinds or None, layers, KINDS)
    return [False] * layers if listed is None else listed


LAYER = "model.layers.{layer}"
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    **state_spaces.folder_names(f"{LAYER}.mamba"),
    "gate_up": f"{LAYER}.shared_mlp.input_linear.weight",
    "down": f"{LAYER}.shared_mlp.output_linear.weight",
    "shared_gate_up": f"{LAYER}.shared_mlp.input_linear.weight",
    "shared_down": f"{LAYER}.shared_mlp.output_linear.weight",
    "router": f"{LAYER}.block_sparse_moe.router.layer.weight",
    "experts_gate_up": f"{LAYER}.block_sparse_moe.input_linear.weight",
    "experts_down": f"{LAYER}.block_sparse_moe.output_linear.weight",
    "experts_gate": f"{LAYER}.block_sparse_moe.switch_mlp.gate_proj.weight",
    "experts_up": f"{LAYER}.block_sparse_moe.switch_mlp.up_proj.weight",
    "experts_down_together": f"{LAYER}.block_sparse_moe.switch_mlp.down_proj.weight",
}
IN_MLX: Names = {
    **HUGGING_FACE,
    **names.perceptron(f"{LAYER}.mlp"),
}
"""mlx-lm takes experts and dense perceptrons apart."""

NOTES = config_json.LEFTOVERS.extended(
    settings={
        r"mamba_chunk_size": "how states are computed",
        r"mamba_.*|time_step_.*": "of Mamba-2 layers, which are asked where there are any",
        r"rope_(theta|scaling|parameters)(\..*)?": "asked where attention has a rope",
        r"normalization_function|init_method|num_experts_per_tok": "what is the case anyway",
    }
)
IN_GGUF = FormatTable(
    ("granitehybrid",),
    {**names.GGUF, **state_spaces.GGUF_NAMES, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT},
    GGUF.extended(settings={r"rope\..*": "asked where attention has a rope"}),
)
FAMILY = Family(
    "granitehybrid",
    read,
    {
        Format.GGUF: IN_GGUF,
        Format.HUGGING_FACE: FormatTable(("granitemoehybrid",), HUGGING_FACE, NOTES),
        Format.MLX: FormatTable(("granitemoehybrid",), IN_MLX, NOTES),
    },
    reordered=True,
)
