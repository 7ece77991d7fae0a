"""Command R, Command R7B and Command A (Cohere 2024, 2025), and Aya: halves that read the same norm of their layer's
input, a layer norm without bias, logits that are multiplied, and the embedding as the output projection. Since Command
R7B three layers of four have a window, and the fourth no rope."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, NormKind, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import patterned_windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

PATTERN = 4
"""Every so many-th layer sees everything."""

LOGITS = 0.0625
"""What they are multiplied by where a folder does not say."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    """Reads Command R's."""
    sizes = _sizes(parameters)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL, in_folders=RopeStyle.NORMAL)
    layer = LayerSpec(
        sizes.attention(rope, scale_of(parameters, sizes.head_dim)), sizes.mlp(Activation.SILU), parallel=True
    )
    return _scaled(parameters, sizes.decoder([layer] * sizes.layers))


def read_with_windows(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    """Reads those of Command R7B and Command A."""
    sizes = _sizes(parameters)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NORMAL, in_folders=RopeStyle.NORMAL)
    scale, mlp = scale_of(parameters, sizes.head_dim), sizes.mlp(Activation.SILU)
    layers = [
        LayerSpec(sizes.attention(rope if window else None, scale, window), mlp, parallel=True)
        for window in patterned_windows(parameters, sizes, PATTERN)
    ]
    return _scaled(parameters, sizes.decoder(layers))


def _sizes(parameters: Hyperparameters) -> Sizes:
    sizes = Sizes.read(parameters, norm=NormKind.LAYER)
    require_activation(parameters, "silu")
    # Command R was trained with longer texts than max_position_embeddings tells.
    return replace(sizes, context_length=parameters.positive("model_max_length", sizes.context_length), tied=True)


def _scaled(parameters: Hyperparameters, spec: DecoderSpec) -> DecoderSpec:
    if parameters.format is Format.GGUF:
        return replace(spec, logit_scale=parameters.number("logit_scale", 1.0) or 1.0)
    return replace(spec, logit_scale=parameters.positive_number("logit_scale", LOGITS))


GGUF_NAMES = {**names.GGUF, "feed_forward_norm": names.GGUF["attention_norm"]}
FOLDER_NAMES = {**names.HUGGING_FACE, "feed_forward_norm": names.HUGGING_FACE["attention_norm"]}
FOLDER_LEFTOVERS = config_json.LEFTOVERS.extended(
    settings={r"rotary_pct|order_of_interleaved_layers|position_embedding_type": "all alike"},
    neutral={
        "use_qk_norm": (False,),
        "use_gated_activation": (True,),
        "use_parallel_block": (True,),
        "use_parallel_embedding": (False, True),
        "use_embedding_sharing": (True,),
        "layer_switch": (PATTERN,),
    },
)
GGUF_LEFTOVERS = GGUF
FAMILY = Family(
    "command-r",
    read,
    {
        Format.GGUF: FormatTable(("command-r",), GGUF_NAMES, GGUF_LEFTOVERS),
        Format.HUGGING_FACE: FormatTable(("cohere",), FOLDER_NAMES, FOLDER_LEFTOVERS),
        Format.MLX: FormatTable(("cohere",), FOLDER_NAMES, FOLDER_LEFTOVERS),
    },
)
WITH_WINDOWS = Family(
    "cohere2",
    read_with_windows,
    {
        Format.GGUF: FormatTable(("cohere2",), GGUF_NAMES, GGUF_LEFTOVERS),
        Format.HUGGING_FACE: FormatTable(("cohere2",), FOLDER_NAMES, FOLDER_LEFTOVERS),
        Format.MLX: FormatTable(("cohere2",), FOLDER_NAMES, FOLDER_LEFTOVERS),
    },
)
