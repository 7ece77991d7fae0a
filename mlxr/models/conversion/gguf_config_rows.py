"""What ``config.json`` says of each architecture that mlx-lm runs, a row each."""

from __future__ import annotations

from collections.abc import Mapping

from mlxr.models.conversion.gguf_config_attention import (
    attention_bias,
    biases,
    deepseek,
    exaone4,
    gemma3,
    gemma4,
    glm4_moe,
    granite_experts,
    head_norms,
    layer_types,
    llama,
    ministral,
    mistral4,
    phi3,
    query_scale,
    rotary_share,
    seed_oss,
    sigmoid_experts,
    smollm3,
    sparse,
    stablelm,
    window_kinds,
)
from mlxr.models.conversion.gguf_config_recurrent import (
    delta,
    granite_hybrid,
    lfm2_moe,
    nemotron_h,
    qwen3_5,
    short_convolutions,
)
from mlxr.models.conversion.gguf_source import Config, Row

EXPERTS: Mapping[str, str] = {
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
WINDOW: Mapping[str, str] = {"attention.sliding_window": "sliding_window"}
MULTIPLIERS: Mapping[str, str] = {
    "attention.scale": "attention_multiplier",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}
SOFTCAPS: Mapping[str, str] = {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
_SILU: Config = {"hidden_act": "silu"}
_GELU: Config = {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh"}
_LAYER_NORM: Mapping[str, str] = {"attention.layer_norm_epsilon": "layer_norm_eps"}

ROPE = ("rope_theta", "rope_scaling")

ROWS: Mapping[str, Row] = {
    "llama": Row("llama", "LlamaForCausalLM", WINDOW, _SILU, (llama,)),
    "arcee": Row("arcee", "ArceeForCausalLM", {}, {"hidden_act": "relu2"}),
    "smollm3": Row("smollm3", "SmolLM3ForCausalLM", {}, _SILU, (smollm3,)),
    "granite": Row("granite", "GraniteForCausalLM", MULTIPLIERS, {**_SILU, "attention_bias": False, "mlp_bias": False}),
    "qwen2": Row("qwen2", "Qwen2ForCausalLM", {}, {**_SILU, "use_sliding_window": False}),
    "qwen2moe": Row("qwen2_moe", "Qwen2MoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": False}, (sparse,)),
    "qwen3": Row("qwen3", "Qwen3ForCausalLM", {}, {**_SILU, "attention_bias": False}),
    "qwen3moe": Row("qwen3_moe", "Qwen3MoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": True}, (sparse,)),
    "seed_oss": Row("seed_oss", "SeedOssForCausalLM", {}, {**_SILU, "mlp_bias": False}, (seed_oss,)),
    "starcoder2": Row(
        "starcoder2",
        "Starcoder2ForCausalLM",
        {"attention.layer_norm_epsilon": "norm_epsilon"},
        {"hidden_act": "gelu_pytorch_tanh"},
        (biases,),
    ),
    "ernie4_5": Row("ernie4_5", "Ernie4_5ForCausalLM", {}, _SILU, (biases,)),
    "olmo2": Row("olmo2", "Olmo2ForCausalLM", WINDOW, {**_SILU, "attention_bias": False}, (window_kinds,)),
    "olmoe": Row("olmoe", "OlmoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": False, "attention_bias": False}),
    "exaone4": Row("exaone4", "Exaone4ForCausalLM", WINDOW, {**_SILU, "rope_scaling": None}, (layer_types, exaone4)),
    "command-r": Row(
        "cohere", "CohereForCausalLM", {**_LAYER_NORM, "logit_scale": "logit_scale"}, _SILU, (head_norms,)
    ),
    "cohere2": Row(
        "cohere2", "Cohere2ForCausalLM", {**_LAYER_NORM, **WINDOW, "logit_scale": "logit_scale"}, _SILU, (layer_types,)
    ),
    "glm4": Row("glm4", "Glm4ForCausalLM", {}, _SILU, (rotary_share, attention_bias)),
    "chatglm": Row("glm", "GlmForCausalLM", {}, _SILU, (rotary_share, attention_bias)),
    "stablelm": Row("stablelm", "StableLmForCausalLM", _LAYER_NORM, _SILU, (stablelm,)),
    "phi3": Row("phi3", "Phi3ForCausalLM", WINDOW, _SILU, (phi3,)),
    "gpt-oss": Row(
        "gpt_oss",
        "GptOssForCausalLM",
        {
            **WINDOW,
            "expert_count": "num_local_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "intermediate_size",
        },
        {**_SILU, "attention_bias": True},
        (layer_types,),
    ),
    "qwen3next": Row(
        "qwen3_next",
        "Qwen3NextForCausalLM",
        EXPERTS,
        {**_SILU, "norm_topk_prob": True},
        (sparse, delta, rotary_share),
    ),
    "qwen35": Row("qwen3_5", "Qwen3_5ForCausalLM", {}, _SILU, (qwen3_5,), ROPE),
    "qwen35moe": Row("qwen3_5_moe", "Qwen3_5MoeForCausalLM", EXPERTS, _SILU, (qwen3_5,), ROPE),
    "lfm2": Row("lfm2", "Lfm2ForCausalLM", {}, {}, (short_convolutions,), ("rms_norm_eps", "head_dim")),
    "lfm2moe": Row("lfm2_moe", "Lfm2MoeForCausalLM", EXPERTS, {}, (lfm2_moe,), ("rms_norm_eps", "head_dim")),
    "granitemoe": Row(
        "granitemoe",
        "GraniteMoeForCausalLM",
        {**MULTIPLIERS, "expert_count": "num_local_experts", "expert_used_count": "num_experts_per_tok"},
        _SILU,
        (granite_experts,),
    ),
    "granitehybrid": Row(
        "granitemoehybrid", "GraniteMoeHybridForCausalLM", MULTIPLIERS, _SILU, (granite_hybrid,), ("head_dim",)
    ),
    "nemotron": Row(
        "nemotron",
        "NemotronForCausalLM",
        {"attention.layer_norm_epsilon": "norm_eps"},
        {"hidden_act": "relu2", "attention_bias": False, "mlp_bias": False},
        (rotary_share,),
        ("rms_norm_eps",),
    ),
    "nemotron_h": Row("nemotron_h", "NemotronHForCausalLM", {}, {}, (nemotron_h,), ROPE),
    "nemotron_h_moe": Row("nemotron_h", "NemotronHForCausalLM", {}, {}, (nemotron_h,), ROPE),
    "deepseek2": Row("deepseek_v3", "DeepseekV3ForCausalLM", {}, _SILU, (deepseek,), ("head_dim",)),
    "mistral4": Row("mistral4", "Mistral4ForCausalLM", {}, _SILU, (mistral4,), ("head_dim", *ROPE)),
    "mistral3": Row("ministral3", "Ministral3ForCausalLM", {}, _SILU, (ministral,), ("rope_theta",)),
    "hunyuan-dense": Row("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", {}, {**_SILU, "attention_bias": False}),
    "glm4moe": Row("glm4_moe", "Glm4MoeForCausalLM", {}, _SILU, (glm4_moe,)),
    "dots1": Row("dots1", "Dots1ForCausalLM", {}, {**_SILU, "attention_bias": False}, (sigmoid_experts,)),
    "minimax-m2": Row(
        "minimax_m2",
        "MiniMaxM2ForCausalLM",
        {
            "expert_count": "num_local_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "intermediate_size",
            "rope.dimension_count": "rotary_dim",
        },
        {**_SILU, "scoring_func": "sigmoid", "use_qk_norm": True, "shared_intermediate_size": 0},
    ),
    "phi2": Row("phi", "PhiForCausalLM", _LAYER_NORM, {"hidden_act": "gelu_new"}, (rotary_share,)),
    "gemma4": Row(
        "gemma4_text",
        "Gemma4ForCausalLM",
        {**WINDOW, "final_logit_softcapping": "final_logit_softcapping"},
        _GELU,
        (gemma4,),
        ROPE,
    ),
    "gemma": Row("gemma", "GemmaForCausalLM", {}, _GELU),
    "gemma2": Row("gemma2", "Gemma2ForCausalLM", {**WINDOW, **SOFTCAPS}, _GELU, (query_scale,)),
    "gemma3": Row("gemma3_text", "Gemma3ForCausalLM", {**WINDOW, **SOFTCAPS}, _GELU, (gemma3,)),
}
"""By GGUF's name for an architecture: those of which mlxr writes folders."""
