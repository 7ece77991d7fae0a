"""Llama (Touvron et al. 2023) and what shares its shape: Mistral, SmolLM2, TinyLlama, InternLM 3; with experts,
Mixtral."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

ATTENTION_BIASES = QKV_BIASES | {"output_bias"}
MLP_BIASES = {"gate_bias", "up_bias", "down_bias"}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True)
    require_activation(parameters, "silu")
    # The rows of queries and keys are in another order in GGUF files: neighbours turn together there.
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL, factors)
    biases = ATTENTION_BIASES if parameters.flag("attention_bias", False) else set()
    biases = biases | MLP_BIASES if parameters.flag("mlp_bias", False) else biases
    scale = scale_of(parameters, sizes.head_dim)
    mlp: FeedForward = sizes.mlp(Activation.SILU)
    if parameters.integer("expert_count", 0):
        mlp = sizes.experts(parameters, Activation.SILU, normalized=True, hidden=sizes.hidden)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope, scale, window), mlp, biases=frozenset(biases))
            for window in windows(parameters, sizes)
        ]
    )


IN_GGUF = FormatTable(
    ("llama",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        **names.GGUF_EXPERTS,
        "output_bias": "blk.{layer}.attn_output.bias",
        "gate_bias": "blk.{layer}.ffn_gate.bias",
        "up_bias": "blk.{layer}.ffn_up.bias",
        "down_bias": "blk.{layer}.ffn_down.bias",
    },
    replace(GGUF, tensors={r"blk\.\d+\.attn_rot_embd\.weight": "the rope's frequencies, which follow from its base"}),
)
IN_FOLDERS = FormatTable(
    ("llama", "mistral", "mixtral", "internlm3"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "router": "model.layers.{layer}.block_sparse_moe.gate.weight",
        **names.each_expert("model.layers.{layer}.block_sparse_moe.experts", names.MIXTRAL),
        "output_bias": "model.layers.{layer}.self_attn.o_proj.bias",
        "gate_bias": "model.layers.{layer}.mlp.gate_proj.bias",
        "up_bias": "model.layers.{layer}.mlp.up_proj.bias",
        "down_bias": "model.layers.{layer}.mlp.down_proj.bias",
    },
    config_json.LEFTOVERS,
    keys={"qkv_bias": "attention_bias", "bias": "mlp_bias"},
)
IN_MLX = replace(
    IN_FOLDERS,
    names={
        **IN_FOLDERS.names,
        **names.experts_together("model.layers.{layer}.block_sparse_moe.switch_mlp"),
    },
)
FAMILY = Family(
    "llama", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_MLX}, reordered=True
)
