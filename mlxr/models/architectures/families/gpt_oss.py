"""gpt-oss (OpenAI 2025): every other layer a window, a learned score beside each head's ("sink"), biases, and experts
with a gate of their own kind."""

from __future__ import annotations

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import all_but_every, sliding_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

WINDOW = 128
"""Of folders that do not say."""

BIASES = frozenset(
    {
        *QKV_BIASES,
        *("output_bias", "sinks"),
        *("router_bias", "experts_gate_bias", "experts_up_bias", "experts_down_bias"),
    }
)


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=64, experts=True)
    require_activation(parameters, "silu")
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, default_base=150_000.0)
    scale, window = scale_of(parameters, sizes.head_dim), parameters.positive("attention.sliding_window", WINDOW)
    experts = sizes.experts(parameters, Activation.SWIGLU_OAI, normalized=True, hidden=sizes.hidden)
    slides = sliding_layers(parameters, sizes.layers) or all_but_every(2, sizes.layers)
    return sizes.decoder(
        [LayerSpec(sizes.attention(rope, scale, window if slide else 0), experts, biases=BIASES) for slide in slides]
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
LAYER = "model.layers.{layer}"
IN_FOLDERS = FormatTable(
    ("gpt_oss",),
    {
        **names.HUGGING_FACE,
        **names.HUGGING_FACE_ATTENTION_BIASES,
        "output_bias": f"{LAYER}.self_attn.o_proj.bias",
        "sinks": f"{LAYER}.self_attn.sinks",
        "router": f"{LAYER}.mlp.router.weight",
        "router_bias": f"{LAYER}.mlp.router.bias",
        # OpenAI's own blocks, two-byte floats as transformers keeps them, and mlx-lm's.
        "experts_gate_up": f"{LAYER}.mlp.experts.gate_up_proj.weight",
        "experts_gate_up_turned": f"{LAYER}.mlp.experts.gate_up_proj",
        **names.experts(f"{LAYER}.mlp.experts"),
        "experts_down_turned": f"{LAYER}.mlp.experts.down_proj",
        "experts_gate_up_bias": f"{LAYER}.mlp.experts.gate_up_proj_bias",
        "experts_gate_bias": f"{LAYER}.mlp.experts.gate_proj.bias",
        "experts_up_bias": f"{LAYER}.mlp.experts.up_proj.bias",
        "experts_down_bias": f"{LAYER}.mlp.experts.down_proj.bias",
    },
    config_json.LEFTOVERS.extended(
        settings={
            r"initial_context_length": "what its rope was stretched from, which is read there",
            r"experts_per_token": "what num_experts_per_tok says, too",
        },
        neutral={
            "attention_bias": (True,),
            "swiglu_alpha": (1.702,),
            "swiglu_limit": (7.0,),
        },
    ),
    renamed={r"(experts\.down_proj)_bias$": r"\1.bias"},
    takes_turns=True,
)
FAMILY = Family("gpt-oss", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
