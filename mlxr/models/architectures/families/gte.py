"""GTE (Zhang et al. 2024, "mGTE"; its published code calls it "new"): BERT with rotary positions and a gated GELU."""

from __future__ import annotations

from mlxr.metal.specs import RopeStyle
from mlxr.models.architectures import encoder_names
from mlxr.models.architectures.encoder_sizes import EncoderSizes, activation_of, require_settings, segments_of
from mlxr.models.architectures.families.bert import CLASSIFIER
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import FOLDER_ENCODER
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.spec import EncoderSpec, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

NORMS = Norms(before=False, residual=True)
USUAL = {"position_embedding_type": "rope", "layer_norm_type": "layer_norm", "logn_attention_scale": False}


def read(parameters: Hyperparameters, weights: Weights) -> EncoderSpec:
    require_settings(parameters, USUAL)
    sizes = EncoderSizes.read(parameters)
    rope = model_rope(parameters, sizes.head_dim, RopeStyle.NEOX, default_base=160000.0)
    biases = frozenset({"output_bias", "down_bias"})
    layer = LayerSpec(sizes.attention(rope), sizes.mlp(activation_of(parameters), gated=True), NORMS, biases)
    segments = segments_of(parameters, weights, 1, "")
    return sizes.encoder([layer] * sizes.layers, segments)


IN_FOLDERS = FormatTable(
    ("gte", "new"),
    {
        **encoder_names.HUGGING_FACE_ROTARY_BERT,
        "gate": "layers.{layer}.mlp.gate_proj.weight",
        "up": "layers.{layer}.mlp.up_proj.weight",
        "up_gate": "layers.{layer}.mlp.up_gate_proj.weight",
        "down": "layers.{layer}.mlp.down_proj.weight",
        "down_bias": "layers.{layer}.mlp.down_proj.bias",
    },
    FOLDER_ENCODER,
    renamed={
        r"^(new|gte)\.": "",
        r"^encoder\.layer\.": "layers.",
        r"\.attention\.": ".self_attn.",
        r"\.attn_ln\.": ".post_attention_layernorm.",
        r"\.mlp_ln\.": ".post_mlp_layernorm.",
    },
    classifiers=(CLASSIFIER,),
)
FAMILY = Family("gte", read, {Format.HUGGING_FACE: IN_FOLDERS}, encoder=True)
