"""Granite 4 (IBM 2025): Mamba-2 in most layers and attention, mostly without a rope, in others; Granite's multipliers;
dense, or a mixture of experts beside a perceptron that every token uses.

Files of models without Mamba-2 layers are Granite 3's in GGUF, and of this family in folders.
"""

from __future__ import annotations

from mlxr.metal.specs import RopeStyle
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families import granite, granite_moe
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import attending_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

KINDS = {"mamba": False, "linear_attention": False, "attention": True, "full_attention": True}
"""Of layers in a ``config.json``, and whether they have attention."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = granite.sizes_of(parameters, experts=True)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL) if _turns(parameters) else None
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    half = granite_moe.half_of(parameters, sizes)
    attends = _attends(parameters, sizes.layers)
    layer = LayerSpec(attention, half)
    others = layer if all(attends) else _recurrent(parameters, sizes, half)
    return granite.scaled(parameters, sizes, [layer if own else others for own in attends])


def _recurrent(parameters: Hyperparameters, sizes: Sizes, half: FeedForward) -> LayerSpec:
    inner = None if parameters.format is Format.GGUF else parameters.positive("mamba_expand", 2) * sizes.width
    # What a gate's norm reads is not the hidden state, which is smaller here.
    gate_eps = sizes.norm_eps * granite.residual(parameters) ** 2
    spec = state_spaces.mamba2_spec(parameters, state_spaces.FOLDER_KEYS, sizes.norm_eps, gate_eps, inner)
    return LayerSpec(spec, half, biases=state_spaces.biases(parameters))


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
    kinds = parameters.texts("layer_types") or parameters.texts("layers_block_type")
    return attending_layers(parameters, kinds or None, layers, KINDS) or [False] * layers


LAYER = "model.layers.{layer}"
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    **state_spaces.folder_names(f"{LAYER}.mamba"),
    "gate_up": f"{LAYER}.shared_mlp.input_linear.weight",
    "down": f"{LAYER}.shared_mlp.output_linear.weight",
    **granite_moe.MIXTURE,
}
IN_MLX: Names = {**HUGGING_FACE, **names.perceptron(f"{LAYER}.mlp")}
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
