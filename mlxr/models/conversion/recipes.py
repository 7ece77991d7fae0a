"""What a GGUF file of each architecture says of its model, as llama.cpp's converter writes it: a recipe each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlxr.models.conversion import settings_from_config, settings_from_layers
from mlxr.models.conversion.settings import Recipe, Setting
from mlxr.models.errors import UnsupportedModelError

_HEADS = frozenset({"key_length", "value_length"})
_ROPE = frozenset({"rope_freq_base", "rope_freq_base_swa"})
_NO_ATTENTION = _HEADS | _ROPE | {"head_count_kv", "layer_norm_eps"}
_VOCABULARY = Setting("vocab_size", ("vocab_size",))
_EXPERT_HIDDEN = Setting("expert_feed_forward_length", ("moe_intermediate_size",))
_WINDOW = Setting("sliding_window", ("sliding_window",))
_FINAL_SOFTCAP = Setting("final_logit_softcapping", ("final_logit_softcapping",))
_LLAMA = Recipe(
    (_VOCABULARY,), (settings_from_config.rope_dimensions, settings_from_config.llama_heads), sentencepiece=True
)
_GRANITE = Recipe(
    (
        _VOCABULARY,
        Setting("attention_scale", ("attention_multiplier",)),
        Setting("embedding_scale", ("embedding_multiplier",)),
        Setting("residual_scale", ("residual_multiplier",)),
        Setting("logit_scale", ("logits_scaling",)),
    ),
    (settings_from_config.rope_dimensions, settings_from_config.llama_heads),
    without=_HEADS,
)
_EXPERT_SIZES = (
    _EXPERT_HIDDEN,
    Setting("expert_shared_feed_forward_length", ("shared_expert_intermediate_size",)),
)
_GEMMA = Recipe(without=_ROPE, sentencepiece=True)
_SHARED_EXPERTS = Setting("expert_shared_count", ("n_shared_experts",))
_WEIGHTS_SCALE = Setting("expert_weights_scale", ("routed_scaling_factor",))
_WEIGHTS_NORM = Setting("expert_weights_norm", ("norm_topk_prob",))
_DEEPSEEK = Recipe(
    (
        _VOCABULARY,
        _EXPERT_HIDDEN,
        Setting("expert_shared_count", ("n_shared_experts",), 0),
        _WEIGHTS_SCALE,
        Setting("q_lora_rank", ("q_lora_rank",)),
        Setting("layer_norm_rms_eps", ("rms_norm_eps",), 1e-6),
    ),
    (settings_from_config.normalized, settings_from_config.latent_yarn, settings_from_config.expert_hidden_or_usual),
    (settings_from_layers.latent_heads, settings_from_layers.dense_first),
)
_QWEN_HYBRID = Recipe(
    (*_EXPERT_SIZES, Setting("full_attention_interval", ("full_attention_interval",), 4)),
    (settings_from_config.rotary_share(0.25),),
    (settings_from_layers.delta_nets,),
)
_SHORT_CONVOLUTIONS = (
    _VOCABULARY,
    Setting("shortconv_l_cache", ("conv_L_cache",)),
    Setting("layer_norm_rms_eps", ("norm_eps",)),
)
_GEMMA_SIZES = (
    Setting("layer_norm_rms_eps", ("rms_norm_eps",), 1e-6),
    Setting("head_count", ("num_attention_heads",), 8),
    Setting("head_count_kv", ("num_key_value_heads",), 4),
    Setting("context_length", ("max_position_embeddings",), 131072),
    Setting("key_length", ("head_dim",), 256),
    Setting("value_length", ("head_dim",), 256),
    _FINAL_SOFTCAP,
)
_GEMMA_FURTHER = (
    *_GEMMA_SIZES,
    _WINDOW,
    Setting("embedding_length_per_layer_input", ("hidden_size_per_layer_input",), 0),
    Setting("shared_kv_layers", ("num_kv_shared_layers",), 0),
)
_MAMBA_CONTEXT = Setting("context_length", (), 1 << 20)

RECIPES: Mapping[str, Recipe] = {
    "bert": Recipe(
        (Setting("causal_attention", (), False),), (), (settings_from_layers.learned_positions,), without=_ROPE
    ),
    "nomic-bert": Recipe((Setting("causal_attention", (), False),)),
    "jina-bert-v2": Recipe((Setting("causal_attention", (), False),), without=_ROPE),
    "jina-bert-v3": Recipe((Setting("causal_attention", (), False),), (), (settings_from_layers.learned_positions,)),
    "llama": _LLAMA,
    "arcee": _LLAMA,
    "smollm3": _LLAMA,
    "granite": _GRANITE,
    "granitemoe": Recipe(
        (*_GRANITE.settings, Setting("expert_shared_feed_forward_length", ("shared_intermediate_size",))),
        _GRANITE.computed,
        without=_HEADS,
    ),
    "qwen2": Recipe(),
    "qwen2moe": Recipe(_EXPERT_SIZES),
    "qwen3": Recipe(),
    "qwen3moe": Recipe(_EXPERT_SIZES),
    "seed_oss": Recipe(),
    "starcoder2": Recipe(),
    "ernie4_5": Recipe(sentencepiece=True),
    "olmo2": Recipe(computed=(settings_from_config.olmo_window,)),
    "olmoe": Recipe((Setting("layer_norm_rms_eps", (), 1e-5),)),
    "exaone4": Recipe((_VOCABULARY,), (settings_from_config.window_by_layer,)),
    "command-r": Recipe((Setting("logit_scale", ("logit_scale",)),), (settings_from_config.no_scaling,)),
    "cohere2": Recipe(
        (_VOCABULARY, Setting("logit_scale", ("logit_scale",)), _WINDOW),
        (settings_from_config.rotary_share(1.0), settings_from_config.no_scaling),
        (settings_from_layers.heads,),
    ),
    "glm4": Recipe(computed=(settings_from_config.rotary_share(0.5),)),
    "stablelm": Recipe(
        (Setting("parallel_residual", ("use_parallel_residual",), True),),
        (settings_from_config.rotary_share(0.25),),
        without=_HEADS | _ROPE,
    ),
    "phi3": Recipe(
        computed=(settings_from_config.phi3_rope,), without=_HEADS | {"rope_scaling_type"}, sentencepiece=True
    ),
    "gemma": _GEMMA,
    "gemma2": Recipe(
        (
            Setting("attn_logit_softcapping", ("attn_logit_softcapping",)),
            _FINAL_SOFTCAP,
            _WINDOW,
        ),
        without=_ROPE,
        sentencepiece=True,
    ),
    "gemma3": Recipe(
        _GEMMA_SIZES,
        (settings_from_config.gemma3_window,),
        sentencepiece=True,
        variant=settings_from_layers.embedding_gemma,
    ),
    "gemma3n": Recipe(
        (
            *_GEMMA_FURTHER,
            Setting("altup_active_idx", ("altup_active_idx",), 0),
            Setting("altup_num_inputs", ("altup_num_inputs",), 4),
        ),
        (settings_from_config.sparsity,),
        (settings_from_layers.windows,),
        sentencepiece=True,
    ),
    "gemma4": Recipe(
        _GEMMA_FURTHER, (), (settings_from_layers.gemma4_heads, settings_from_layers.windows), vocabulary="gemma4"
    ),
    "gpt-oss": Recipe(
        (Setting("sliding_window", ("sliding_window",), 128),), described=(settings_from_layers.experts_hidden,)
    ),
    "qwen3next": _QWEN_HYBRID,
    "qwen35": replace(_QWEN_HYBRID, computed=(*_QWEN_HYBRID.computed, settings_from_config.image_sections)),
    "qwen35moe": replace(_QWEN_HYBRID, computed=(*_QWEN_HYBRID.computed, settings_from_config.image_sections)),
    "lfm2": Recipe(_SHORT_CONVOLUTIONS, (), (settings_from_layers.key_heads, settings_from_layers.hidden)),
    "lfm2moe": Recipe(
        _SHORT_CONVOLUTIONS,
        (),
        (
            settings_from_layers.key_heads,
            settings_from_layers.experts_hidden,
            settings_from_layers.dense_first,
            settings_from_layers.sigmoid,
        ),
    ),
    "granitehybrid": Recipe(
        (*_GRANITE.settings, Setting("expert_shared_feed_forward_length", ("shared_intermediate_size",))),
        (settings_from_config.whole_width, settings_from_config.llama_heads, settings_from_config.granite_state_spaces),
        (settings_from_layers.key_heads, settings_from_layers.positions_of_hybrids),
        without=_HEADS,
        variant=settings_from_layers.granite_without_state_spaces,
    ),
    "falcon-h1": Recipe((_VOCABULARY,), (), (settings_from_layers.state_spaces,)),
    "nemotron": Recipe(
        (_VOCABULARY, Setting("layer_norm_eps", ("norm_eps",), 1e-5)),
        (settings_from_config.nemotron_rope,),
        (settings_from_layers.heads,),
        sentencepiece=True,
    ),
    "nemotron_h": Recipe(
        (_VOCABULARY, _MAMBA_CONTEXT),
        (settings_from_config.whole_width,),
        (settings_from_layers.key_heads, settings_from_layers.state_spaces, settings_from_layers.nemotron_halves),
        variant=settings_from_layers.nemotron_with_experts,
    ),
    "deepseek2": _DEEPSEEK,
    "mistral4": replace(_DEEPSEEK, computed=(*_DEEPSEEK.computed, settings_from_config.growing_queries_of_latents)),
    "mistral3": Recipe(
        (_VOCABULARY,), (settings_from_config.rope_dimensions, settings_from_config.growing_queries), sentencepiece=True
    ),
    "llama4": Recipe(
        (
            _VOCABULARY,
            Setting("feed_forward_length", ("intermediate_size_mlp",)),
            Setting("expert_feed_forward_length", ("intermediate_size",)),
            Setting("interleave_moe_layer_step", ("interleave_moe_layer_step",), 1),
        ),
        (settings_from_config.rope_dimensions,),
    ),
    "hunyuan-dense": Recipe((), (settings_from_config.ntk,), without=frozenset({"expert_count", "expert_used_count"})),
    "hunyuan-moe": Recipe(
        (Setting("expert_shared_feed_forward_length", ("intermediate_size",)),),
        (settings_from_config.ntk, settings_from_config.hunyuan_experts),
        (settings_from_layers.experts_hidden,),
    ),
    "glm4moe": Recipe(
        (
            _EXPERT_HIDDEN,
            _SHARED_EXPERTS,
            _WEIGHTS_SCALE,
            Setting("expert_weights_norm", ("norm_topk_prob",), True),
        ),
        (settings_from_config.rotary_share(0.5),),
        (settings_from_layers.dense_first, settings_from_layers.sigmoid),
    ),
    "minimax-m2": Recipe(
        (
            Setting("expert_feed_forward_length", ("intermediate_size",)),
            Setting("rope_dimension_count", ("rotary_dim",)),
        ),
        (),
        (settings_from_layers.sigmoid,),
    ),
    "dots1": Recipe(
        (
            _EXPERT_HIDDEN,
            _SHARED_EXPERTS,
            _WEIGHTS_SCALE,
            _WEIGHTS_NORM,
            Setting("leading_dense_block_count", ("first_k_dense_replace",), 0),
        )
    ),
    "ernie4_5-moe": Recipe(
        (
            Setting("expert_count", ("moe_num_experts",)),
            Setting("expert_used_count", ("moe_k",)),
            Setting("interleave_moe_layer_step", ("moe_layer_interval",), 1),
            Setting("leading_dense_block_count", ("moe_layer_start_index",), 1),
            _EXPERT_HIDDEN,
        ),
        described=(settings_from_layers.shared_experts,),
        sentencepiece=True,
    ),
    "chatglm": Recipe((Setting("add_bos_token", (), False),), (settings_from_config.glm_rope,), without=_HEADS),
    "gptneox": Recipe(
        (Setting("parallel_residual", ("use_parallel_residual",), True),),
        (settings_from_config.neox_rope,),
        without=_HEADS | {"head_count_kv"},
    ),
    "falcon": Recipe(
        (Setting("tensor_data_layout", (), "jploski"), Setting("context_length", (), 2048)),
        (settings_from_config.falcon_sizes,),
        (settings_from_layers.falcon_key_heads,),
        without=_HEADS,
    ),
    "olmo": Recipe((Setting("layer_norm_eps", (), 1e-5),)),
    "exaone": Recipe((), (settings_from_config.rotary_share(1.0),), (settings_from_layers.heads,)),
    "internlm2": Recipe(without=_HEADS),
    "bailingmoe2": Recipe(
        (
            _VOCABULARY,
            _EXPERT_HIDDEN,
            _SHARED_EXPERTS,
            _WEIGHTS_SCALE,
            _WEIGHTS_NORM,
            Setting("leading_dense_block_count", ("first_k_dense_replace",)),
            Setting("nextn_predict_layers", ("num_nextn_predict_layers",), 0),
        ),
        (settings_from_config.bailing_experts,),
        (settings_from_layers.turned,),
    ),
    "exaone-moe": Recipe(
        (
            _VOCABULARY,
            _EXPERT_HIDDEN,
            _WEIGHTS_SCALE,
            _WEIGHTS_NORM,
            Setting("nextn_predict_layers", ("num_nextn_predict_layers",), 0),
        ),
        (settings_from_config.window_by_layer, settings_from_config.no_scaling),
        (settings_from_layers.shared_experts, settings_from_layers.dense_first, settings_from_layers.sigmoid),
    ),
    "afmoe": Recipe(
        (
            _VOCABULARY,
            _EXPERT_HIDDEN,
            _SHARED_EXPERTS,
            _WEIGHTS_SCALE,
            _WEIGHTS_NORM,
            _WINDOW,
            Setting("leading_dense_block_count", ("first_k_dense_replace",)),
        ),
        (settings_from_config.rope_dimensions,),
        (settings_from_layers.sigmoid,),
    ),
    "hy_v3": Recipe(
        (_EXPERT_HIDDEN, _WEIGHTS_SCALE, Setting("expert_weights_norm", ("norm_topk_prob",), True)),
        (),
        (settings_from_layers.shared_hidden, settings_from_layers.sigmoid),
    ),
    "mellum": Recipe((_EXPERT_HIDDEN,), (settings_from_config.window_by_layer,)),
    "mamba": Recipe(
        (
            _MAMBA_CONTEXT,
            Setting("feed_forward_length", (), 0),
            Setting("head_count", (), 0),
            Setting("layer_norm_rms_eps", ("layer_norm_epsilon",), 1e-5),
        ),
        (),
        (settings_from_layers.first_state_spaces,),
        without=_NO_ATTENTION,
    ),
    "mamba2": Recipe(
        (
            _MAMBA_CONTEXT,
            Setting("feed_forward_length", (), 0),
            Setting("head_count", (), 0),
            Setting("layer_norm_rms_eps", ("layer_norm_epsilon",), 1e-5),
        ),
        (),
        (settings_from_layers.state_spaces,),
        without=_NO_ATTENTION,
    ),
    "jamba": Recipe(
        (), (), (settings_from_layers.key_heads, settings_from_layers.first_state_spaces), without=_HEADS | _ROPE
    ),
    "phi2": Recipe(
        (Setting("add_bos_token", (), False),),
        (settings_from_config.phi2_sizes,),
        without=_HEADS | _ROPE,
    ),
    "minicpm3": Recipe(
        (_VOCABULARY, Setting("q_lora_rank", ("q_lora_rank",)), Setting("kv_lora_rank", ("kv_lora_rank",))),
        (settings_from_config.minicpm3_heads,),
        without=frozenset({"value_length", "rope_scaling_type"}) | _ROPE,
        sentencepiece=True,
    ),
    "modern-bert": Recipe(
        (
            _VOCABULARY,
            Setting("causal_attention", (), False),
            Setting("sliding_window", ("local_attention",)),
            Setting("sliding_window_pattern", ("global_attn_every_n_layers",)),
            Setting(".hidden_activation", ("hidden_activation",), "gelu"),
        ),
        (settings_from_config.no_scaling, settings_from_config.pooled_before_classes),
    ),
}
"""By GGUF's name for an architecture: those that mlxr writes."""


def recipe_of(path: Path, architecture: str, model_type: str = "") -> Recipe:
    """Raises ``UnsupportedModelError`` for an architecture that mlxr does not write, naming those that it does."""
    recipe = RECIPES.get(architecture)
    if recipe is None or (recipe.model_types and model_type and model_type not in recipe.model_types):
        what = f"{architecture!r} from {model_type!r}" if recipe else repr(architecture)
        known = ", ".join(sorted(RECIPES))
        reason = f"is of the architecture {what}, of which mlxr writes no GGUF files yet; it writes {known}"
        raise UnsupportedModelError(path, f"{reason}. mlxr runs the folder as it is")
    return recipe
