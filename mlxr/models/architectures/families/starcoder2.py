"""StarCoder2 (BigCode 2024): layer norms, biases everywhere, and a perceptron without a gate."""

from __future__ import annotations

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

BIASES = QKV_BIASES | {"output_bias", "up_bias", "down_bias", "attention_norm_bias", "feed_forward_norm_bias"}
NORM_BIASES = frozenset({"attention_norm_bias", "feed_forward_norm_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER)
    require_activation(parameters, "gelu_pytorch_tanh")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX)
    biases = BIASES if parameters.flag("use_bias", True) else NORM_BIASES
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.GELU_TANH, gated=False)
    return sizes.decoder(
        [LayerSpec(sizes.attention(rope, scale, window), mlp, biases=biases) for window in windows(parameters, sizes)]
    )


IN_GGUF = FormatTable(
    ("starcoder2",),
    {
        **names.GGUF,
        **names.GGUF_NORM_BIASES,
        **names.GGUF_ATTENTION_BIASES,
        "output_bias": "blk.{layer}.attn_output.bias",
        **names.GGUF_MLP_BIASES,
    },
    GGUF,
)
IN_FOLDERS = FormatTable(
    ("starcoder2",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_NORM_BIASES,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "output_bias": "model.layers.{layer}.self_attn.o_proj.bias",
        "up": "model.layers.{layer}.mlp.c_fc.weight",
        "up_bias": "model.layers.{layer}.mlp.c_fc.bias",
        "down": "model.layers.{layer}.mlp.c_proj.weight",
        "down_bias": "model.layers.{layer}.mlp.c_proj.bias",
    },
    config_json.LEFTOVERS,
)
FAMILY = Family("starcoder2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
