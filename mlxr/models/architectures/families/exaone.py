"""EXAONE 3, 3.5 and Deep (LG AI Research 2024, 2025): Llama's shape by other names."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters)
    require_activation(parameters, "silu")
    factors = weights.optional_values("rope_freqs.weight", sizes.rope_dims // 2)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, factors, default_base=500_000.0)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    return sizes.decoder([LayerSpec(attention, sizes.mlp(Activation.SILU))] * sizes.layers)


LAYER = "transformer.h.{layer}"
HUGGING_FACE: Names = {
    "embedding": "transformer.wte.weight",
    "norm": "transformer.ln_f.weight",
    "head": "lm_head.weight",
    "attention_norm": f"{LAYER}.ln_1.weight",
    "query": f"{LAYER}.attn.attention.q_proj.weight",
    "key": f"{LAYER}.attn.attention.k_proj.weight",
    "value": f"{LAYER}.attn.attention.v_proj.weight",
    "output": f"{LAYER}.attn.attention.out_proj.weight",
    "feed_forward_norm": f"{LAYER}.ln_2.weight",
    "gate": f"{LAYER}.mlp.c_fc_0.weight",
    "up": f"{LAYER}.mlp.c_fc_1.weight",
    "down": f"{LAYER}.mlp.c_proj.weight",
}
IN_FOLDERS = FormatTable(
    ("exaone",),
    HUGGING_FACE,
    config_json.LEFTOVERS,
    keys={
        "num_layers": "num_hidden_layers",
        "layer_norm_epsilon": "rms_norm_eps",
        "activation_function": "hidden_act",
    },
)
FAMILY = Family(
    "exaone",
    read,
    {
        Format.GGUF: FormatTable(("exaone",), names.GGUF, GGUF),
        Format.HUGGING_FACE: IN_FOLDERS,
        Format.MLX: IN_FOLDERS,
    },
)
