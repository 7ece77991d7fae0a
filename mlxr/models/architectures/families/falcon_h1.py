"""Falcon-H1 (TII 2025): attention and Mamba-2 beside each other in every layer, and multipliers for most products.

llama.cpp's converter multiplies matrices by them, so GGUF files have none. Folders keep matrices as they were trained;
there they become those of vectors and of numbers that are multiplied anyway. Queries, keys and values read what a norm
gives: its weight takes the input's multiplier and the output's, since values go through to the output, and scores are
divided by what of that they should not have. A perceptron's norm takes the gate's multiplier, and so ``up`` has it too;
what that adds to the hidden state is ``c`` times too large, c being the gate's multiplier by the output's. So hidden
states are c times as large altogether, which norms do not see but for their epsilon.

Of mlx-lm's folders one can't tell whether their matrices were multiplied: versions differ.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, AttentionAndMamba2Spec, Mamba2Spec, RopeStyle
from mlxr.models.architectures import config_json, names, state_spaces
from mlxr.models.architectures.families.falcon_h1_multipliers import Multipliers, multipliers_of
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    whole = Sizes.read(parameters)
    require_activation(parameters, "silu")
    by = multipliers_of(parameters)
    sizes = replace(whole, norm_eps=whole.norm_eps * by.hidden**2)
    mixers = AttentionAndMamba2Spec(
        sizes.attention(
            model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX),
            scale_of(parameters, sizes.head_dim) * by.key / (by.attention_out * by.hidden) ** 2,
        ),
        replace(
            _state_space(parameters, weights, sizes, whole.norm_eps),
            gate_scale=by.projected[0] / by.projected[4],
            output_scale=by.ssm_out * by.hidden,
        ),
        attention_input=by.attention_in * by.attention_out * by.hidden,
        mamba2_input=by.ssm_in * by.projected[4],
        convolved=(
            by.projected[1] / by.projected[4],
            by.projected[2] / by.projected[4],
            by.projected[3] / by.projected[4],
        ),
    )
    biases = state_spaces.biases(parameters)
    if "ssm_input_bias" in biases and by != Multipliers():
        raise parameters.error("has biases of mamba_proj_bias beside multipliers")
    half = replace(sizes.mlp(Activation.SILU), input_scale=by.gate)
    layer = LayerSpec(mixers, half, biases=biases)
    embedding_scale = parameters.positive_number("embedding_scale", 1.0) * by.hidden
    return replace(sizes.decoder([layer] * sizes.layers, embedding_scale), logit_scale=by.logits)


def _state_space(parameters: Hyperparameters, weights: Weights, sizes: Sizes, gate_eps: float) -> Mamba2Spec:
    inner = parameters.positive("mamba_d_ssm") if "mamba_d_ssm" in parameters else None
    spec = state_spaces.mamba2_spec(parameters, state_spaces.FOLDER_KEYS, sizes.norm_eps, gate_eps, inner)
    gguf = parameters.format is Format.GGUF
    normed = "blk.0.ssm_norm.weight" in weights if gguf else parameters.flag("mamba_rms_norm", False)
    return replace(spec, normed=normed)


LAYER = "model.layers.{layer}"
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    **state_spaces.folder_names(f"{LAYER}.mamba"),
    "norm": "model.final_layernorm.weight",
    "feed_forward_norm": f"{LAYER}.pre_ff_layernorm.weight",
    **names.perceptron(f"{LAYER}.feed_forward"),
}
NOTES = config_json.LEFTOVERS.extended(
    settings={
        r"mamba_(chunk_size|expand|use_mlp)|mlp_expansion_factor|num_logits_to_keep": "how it is computed, and made",
        r"time_step_(min|max|floor)|rescale_prenorm_residual|residual_in_fp32": "how it was made",
    },
    neutral={
        "mamba_norm_before_gate": (False,),
        "projectors_bias": (False,),
        "attention_bias": (False,),
    },
)
IN_GGUF: Names = {**names.GGUF, **state_spaces.GGUF_NAMES, "feed_forward_norm": "blk.{layer}.ffn_norm"}
IN_FOLDERS = FormatTable(("falcon_h1",), HUGGING_FACE, NOTES)
FAMILY = Family(
    "falcon-h1",
    read,
    {
        Format.GGUF: FormatTable(("falcon-h1",), IN_GGUF, GGUF),
        Format.HUGGING_FACE: IN_FOLDERS,
    },
)
