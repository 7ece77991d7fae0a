"""Ernie 4.5's mixtures of experts (Baidu 2025): Ernie 4.5's attention, a dense layer, then experts that are chosen with
a bias, and some that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(
        parameters, sizes.rope_dims, RopeStyle.NORMAL, default_base=500_000.0, in_folders=RopeStyle.NORMAL
    )
    attention, mlp = sizes.attention(rope, scale_of(parameters, sizes.head_dim)), sizes.mlp(Activation.SILU)
    experts = sizes.experts(parameters, Activation.SILU, normalized=True)
    shared = parameters.integer("expert_shared_count", 2) * experts.hidden
    if parameters.format is Format.GGUF:
        shared = parameters.integer("expert_shared_feed_forward_length", shared)
    if not 0 <= shared <= MAX_HIDDEN:
        raise parameters.error(f"has shared experts of {shared} numbers")
    # mlx-lm leaves the bias out.
    by_mlx = any(names.MLX_EXPERTS["experts_gate_together"].format(layer=n) in weights for n in range(sizes.layers))
    experts = replace(experts, shared_hidden=shared, choice_bias=not by_mlx)
    sparse = _sparse(parameters, sizes.layers)
    return sizes.decoder([LayerSpec(attention, experts if has else mlp) for has in sparse])


def _sparse(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have experts: every so many-th between the first and the last that may."""
    first = parameters.integer("leading_dense_block_count", 1)
    last = parameters.integer("moe_layer_end_index", -1)
    step = parameters.positive("interleave_moe_layer_step", 1)
    last = layers - 1 if last < 0 else last
    return [first <= layer <= last and (layer + 1) % step == 0 for layer in range(layers)]


LAYER = "model.layers.{layer}.mlp"
IN_GGUF = FormatTable(
    ("ernie4_5-moe",),
    {
        **names.GGUF,
        **names.GGUF_DEEPSEEK_EXPERTS,
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("ernie4_5_moe",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_EXPERTS,
        **names.HUGGING_FACE_SHARED_EXPERT,
        **names.MLX_EXPERTS,
        "choice_bias": f"{LAYER}.moe_statics.e_score_correction_bias",
    },
    config_json.DRAFTING_LEFTOVERS.extended(
        settings={
            r"moe_(capacity|gate|multimodal_paired_experts|use_aux_free|norm_min|.*loss.*)": "of training",
            r"multi_token_pred_lambda": "of the layers that draft tokens",
        },
    ),
    defaults={"tie_word_embeddings": True},
    keys={
        "moe_num_experts": "num_experts",
        "moe_k": "num_experts_per_tok",
        "moe_num_shared_experts": "n_shared_experts",
        "moe_layer_start_index": "first_k_dense_replace",
        "moe_layer_interval": "interleave_moe_layer_step",
    },
)
FAMILY = Family("ernie4_5-moe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
