"""gpt-oss (OpenAI 2025): every other layer a window, a learned score beside each head's ("sink"), biases, and experts
with a gate of their own kind."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

BIASES = frozenset(
    {
        *QKV_BIASES,
        *("output_bias", "sinks"),
        *("router_bias", "experts_gate_bias", "experts_up_bias", "experts_down_bias"),
    }
)


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=64, experts=True)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, default_base=150_000.0)
    scale, window = scale_of(parameters, sizes.head_dim), parameters.positive("attention.sliding_window")
    experts = sizes.experts(parameters, Activation.SWIGLU_OAI, normalized=True, hidden=sizes.hidden)
    return sizes.decoder(
        [
            LayerSpec(sizes.attention(rope, scale, window if layer % 2 == 0 else 0), experts, biases=BIASES)
            for layer in range(sizes.layers)
        ]
    )


IN_GGUF = FormatTable(
    ("gpt-oss",),
    {
        **names.GGUF,
        **names.GGUF_ATTENTION_BIASES,
        **names.GGUF_EXPERTS,
        "output_bias": "blk.{layer}.attn_output.bias",
        "sinks": "blk.{layer}.attn_sinks.weight",
        "feed_forward_norm": "blk.{layer}.post_attention_norm.weight",
        "router_bias": "blk.{layer}.ffn_gate_inp.bias",
        "experts_gate_bias": "blk.{layer}.ffn_gate_exps.bias",
        "experts_up_bias": "blk.{layer}.ffn_up_exps.bias",
        "experts_down_bias": "blk.{layer}.ffn_down_exps.bias",
    },
    GGUF,
)
FAMILY = Family("gpt-oss", read, {Format.GGUF: IN_GGUF})
