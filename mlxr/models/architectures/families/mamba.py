"""Mamba (Gu and Dao 2023) and Falcon-Mamba (TII 2024): state spaces alone, without attention and without
perceptrons."""

from __future__ import annotations

from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.sizes import MAX_HIDDEN, MAX_LAYERS, MAX_WIDTH, require_activation
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, MixerSpec
from mlxr.models.architectures.tensors import WITHOUT_WEIGHTS, FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

CONTEXT = 1 << 20
"""Tokens, where a folder does not say: states have no end of their own. llama.cpp's files have as many."""

KEYS = {key: key for key in ("state_size", "conv_kernel", "time_step_rank")}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    width, eps = width_of(parameters), epsilon_of(parameters)
    inner, inner_eps = 0, eps
    if parameters.format is Format.GGUF:
        normed = parameters.flag("ssm.dt_b_c_rms", False)
    else:
        normed = parameters.text("model_type", "") == "falcon_mamba"
        inner = parameters.positive("feed_forward_length", 2 * width, MAX_HIDDEN)
        inner_eps = parameters.epsilon("mixer_rms_eps", 1e-6)
    spec = state_spaces.mamba1_spec(parameters, KEYS, inner, width, eps, inner_eps if normed else None)
    return decoder(parameters, width, eps, spec)


def width_of(parameters: Hyperparameters) -> int:
    return parameters.positive("embedding_length", most=MAX_WIDTH)


def epsilon_of(parameters: Hyperparameters) -> float:
    gguf = parameters.format is Format.GGUF
    return parameters.epsilon("attention.layer_norm_rms_epsilon" if gguf else "layer_norm_epsilon", 1e-5)


def decoder(parameters: Hyperparameters, width: int, eps: float, mixer: MixerSpec) -> DecoderSpec:
    """Returns the model all of whose layers are ``mixer``."""
    require_activation(parameters, "silu")
    biases = state_spaces.biases(parameters, "use_bias", "use_conv_bias")
    layers = parameters.positive("block_count", most=MAX_LAYERS)
    tied = parameters.flag("tie_word_embeddings", False) if "tie_word_embeddings" in parameters else None
    return DecoderSpec(
        width,
        parameters.positive("context_length", CONTEXT),
        (LayerSpec(mixer, None, biases=biases),) * layers,
        eps,
        tied=tied or None,
    )


ENDS: Names = {role: names.GGUF[role] for role in ("embedding", "norm", "head", "attention_norm")}
UNNORMED: Names = dict.fromkeys(("ssm_step_norm", "ssm_write_norm", "ssm_read_norm"), WITHOUT_WEIGHTS)
MIXER = "backbone.layers.{layer}.mixer"
NOTES = config_json.LEFTOVERS.extended(
    settings={
        r"time_step_(min|max|floor|scale|init_scheme|rank)|rescale_prenorm_residual|residual_in_fp32|fused_add_norm": (
            "how it was made and trained"
        ),
        r"use_(falcon_)?mambapy|use_associative_scan|chunk_size": "how it is computed",
        r"expand|d_(inner|model)|n_layer|rms_norm|pad_vocab_size_multiple|ssm_cfg\..*|intermediate_size": (
            "what other settings say"
        ),
        r"layer_types(\.\d+)?": "all are alike",
    }
)
GGUF_NOTES = GGUF.extended(
    neutral={
        "feed_forward_length": (0,),
        "attention.head_count": (0,),
        "attention.head_count_kv": (0,),
    }
)
IN_FOLDERS = FormatTable(
    ("mamba", "falcon_mamba"), {**names.BACKBONE, **state_spaces.folder_names_of_first(MIXER), **UNNORMED}, NOTES
)
FAMILY = Family(
    "mamba",
    read,
    {
        Format.GGUF: FormatTable(("mamba",), {**ENDS, **state_spaces.GGUF_NAMES_OF_FIRST, **UNNORMED}, GGUF_NOTES),
        Format.HUGGING_FACE: IN_FOLDERS,
        Format.MLX: IN_FOLDERS,
    },
)
