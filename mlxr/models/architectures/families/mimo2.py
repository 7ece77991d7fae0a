"""MiMo V2 (Xiaomi 2025): values shorter than keys, and multiplied; windows with sinks and twice the key heads between
layers that see everything, each kind with a rope of its own on a third of a head; a dense layer, then experts whose
scores are sigmoids.

A head's values have zeros behind them up to the length of a key. What multiplies them multiplies the whole input of
attention instead, and what that does to scores, their scale takes back.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.families.mimo2_heads import heads_of, ropes_of
from mlxr.models.architectures.layer_kinds import sparse_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.routing import sigmoid_experts
from mlxr.models.architectures.sizes import Sizes, require_activation
from mlxr.models.architectures.spec import DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, experts=True, usual_heads=False)
    require_activation(parameters, "silu")
    heads = heads_of(parameters, sizes)
    whole, near = ropes_of(parameters, heads.head_dim)
    mlp, experts = sizes.mlp(Activation.SILU), sigmoid_experts(parameters, sizes, Activation.SILU)
    usual = sparse_layers(parameters, sizes.layers, 1, weights)
    sparse = parameters.flags("moe_layer_freq", sizes.layers) or usual
    times = parameters.positive_number("attention.value_scale", 1.0)
    window, scale = _window(parameters), heads.head_dim**-0.5 / times**2
    sinks = frozenset({"sinks"} if parameters.flag("add_swa_attention_sink_bias", True) else ())
    layers = []
    for kv_heads, slides, has in zip(heads.kv_heads, heads.slides, sparse, strict=True):
        attention = replace(sizes, kv_heads=kv_heads, head_dim=heads.head_dim).attention(
            near if slides else whole, scale, window if slides else 0
        )
        attention = replace(attention, value_dim=heads.value_dim % heads.head_dim, input_scale=times)
        layers.append(LayerSpec(attention, experts if has else mlp, biases=sinks if slides else frozenset()))
    return sizes.decoder(layers)


def _window(parameters: Hyperparameters) -> int:
    """A folder's ``sliding_window_size`` does not count the token itself."""
    size = parameters.positive("attention.sliding_window")
    before = parameters.integer("sliding_window_size", 0)
    return before + 1 if before else size


IN_GGUF = FormatTable(
    ("mimo2",),
    {
        **names.GGUF,
        **names.GGUF_EXPERTS,
        **names.GGUF_QKV,
        "sinks": "blk.{layer}.attn_sinks.weight",
        "choice_bias": "blk.{layer}.exp_probs_b.bias",
    },
    GGUF,
)
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("mimo_v2_flash", "mimo_v2"),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_EXPERTS,
        **names.MLX_EXPERTS,
        "sinks": f"{LAYER}.self_attn.attention_sink_bias",
        "choice_bias": f"{LAYER}.mlp.gate.e_score_correction_bias",
    },
    config_json.DRAFTING_LEFTOVERS.extended(
        settings={r"attention_chunk_size|topk_method|hybrid_block_size": "what other settings say"},
        neutral={"add_full_attention_sink_bias": (False,)},
    ),
    keys={
        "attention_value_scale": "attention.value_scale",
        "layernorm_epsilon": "rms_norm_eps",
        "swa_rope_theta": "rope_local_base_freq",
    },
)
FAMILY = Family("mimo2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
