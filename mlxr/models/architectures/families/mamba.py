"""Mamba (Gu and Dao 2023), Falcon-Mamba (TII 2024) and Mamba-2 (Dao and Gu 2024): state spaces alone, without attention
and without perceptrons."""

from __future__ import annotations

from mlxr.metal.specs import Mamba1Spec
from mlxr.models.architectures import config_json, state_spaces
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.sizes import (
    MAX_HEAD_DIM,
    MAX_HIDDEN,
    MAX_LAYERS,
    MAX_WIDTH,
    require_activation,
)
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec, MixerSpec
from mlxr.models.architectures.tensors import WITHOUT_WEIGHTS, FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

CONTEXT = 1 << 20
"""Tokens, where a folder does not say: states have no end of their own. llama.cpp's files have as many."""

KEYS = {
    "time_step_rank": "num_heads",
    "group_count": "n_groups",
    "state_size": "state_size",
    "conv_kernel": "conv_kernel",
}


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    """Reads Mamba's and Falcon-Mamba's."""
    width, eps = _width(parameters), _epsilon(parameters)
    if parameters.format is Format.GGUF:
        normed = parameters.flag("ssm.dt_b_c_rms", False)
        inner = parameters.positive("ssm.inner_size", most=MAX_HIDDEN)
        names, inner_eps = {key: f"ssm.{key}" for key in ("state_size", "conv_kernel", "time_step_rank")}, eps
    else:
        normed = parameters.text("model_type", "") == "falcon_mamba"
        inner = parameters.positive("feed_forward_length", 2 * width, MAX_HIDDEN)
        names = {key: key for key in ("state_size", "conv_kernel", "time_step_rank")}
        inner_eps = parameters.epsilon("mixer_rms_eps", 1e-6)
    spec = Mamba1Spec(
        inner,
        parameters.positive(names["state_size"], 16, MAX_HEAD_DIM),
        state_spaces.step_rank(parameters, names["time_step_rank"], width),
        state_spaces.taps_of(parameters, names["conv_kernel"]),
        eps,
        inner_eps if normed else None,
    )
    return _decoder(parameters, width, eps, spec)


def read_second(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    """Reads Mamba-2's."""
    eps, folder = _epsilon(parameters), parameters.format is not Format.GGUF
    head_dim = parameters.positive("attention.key_length", 64, MAX_HEAD_DIM) if folder else 0
    return _decoder(parameters, _width(parameters), eps, state_spaces.mamba2_spec(parameters, KEYS, head_dim, eps, eps))


def _width(parameters: Hyperparameters) -> int:
    return parameters.positive("embedding_length", most=MAX_WIDTH)


def _epsilon(parameters: Hyperparameters) -> float:
    gguf = parameters.format is Format.GGUF
    return parameters.epsilon("attention.layer_norm_rms_epsilon" if gguf else "layer_norm_epsilon", 1e-5)


def _decoder(parameters: Hyperparameters, width: int, eps: float, mixer: MixerSpec) -> DecoderSpec:
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


ENDS: Names = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
    "attention_norm": "blk.{layer}.attn_norm.weight",
}
FOLDER_ENDS: Names = {
    "embedding": "backbone.embeddings.weight",
    "norm": "backbone.norm_f.weight",
    "head": "lm_head.weight",
    "attention_norm": "backbone.layers.{layer}.norm.weight",
}
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
IN_GGUF = GGUF.extended(
    neutral={
        "feed_forward_length": (0,),
        "attention.head_count": (0,),
        "attention.head_count_kv": (0,),
    }
)
IN_FOLDERS = FormatTable(
    ("mamba", "falcon_mamba"), {**FOLDER_ENDS, **state_spaces.folder_names_of_first(MIXER), **UNNORMED}, NOTES
)
SECOND_IN_FOLDERS = FormatTable(("mamba2",), {**FOLDER_ENDS, **state_spaces.folder_names(MIXER)}, NOTES)
FAMILY = Family(
    "mamba",
    read,
    {
        Format.GGUF: FormatTable(("mamba",), {**ENDS, **state_spaces.GGUF_NAMES_OF_FIRST, **UNNORMED}, IN_GGUF),
        Format.HUGGING_FACE: IN_FOLDERS,
        Format.MLX: IN_FOLDERS,
    },
)
SECOND = Family(
    "mamba2",
    read_second,
    {
        Format.GGUF: FormatTable(("mamba2",), {**ENDS, **state_spaces.GGUF_NAMES}, IN_GGUF),
        Format.HUGGING_FACE: SECOND_IN_FOLDERS,
        Format.MLX: SECOND_IN_FOLDERS,
    },
)
