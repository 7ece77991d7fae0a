"""A decoder's ``config.json``: its settings by GGUF's names, and those that change no number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from mlxr.models.architectures.leftovers import Leftovers

T = TypeVar("T")

KEYS: Mapping[str, str] = {
    "altup.active_idx": "altup_active_idx",
    "altup.num_inputs": "altup_num_inputs",
    "attention.scale": "attention_multiplier",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.layer_norm_epsilon": "layer_norm_eps",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.indexer.top_k": "index_topk",
    "attention.kv_lora_rank": "kv_lora_rank",
    "attention.q_lora_rank": "q_lora_rank",
    "attention.sliding_window": "sliding_window",
    "attention.sliding_window_pattern": "sliding_window_pattern",
    "attention.value_length_mla": "v_head_dim",
    "attention.shared_kv_layers": "num_kv_shared_layers",
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "embedding_length_per_layer_input": "hidden_size_per_layer_input",
    "embedding_scale": "embedding_multiplier",
    "expert_count": "num_local_experts",
    "expert_group_count": "n_group",
    "expert_group_used_count": "topk_group",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_count": "n_shared_experts",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "expert_used_count": "num_experts_per_tok",
    "expert_weights_scale": "routed_scaling_factor",
    "feed_forward_length": "intermediate_size",
    "leading_dense_block_count": "first_k_dense_replace",
    "residual_scale": "residual_multiplier",
    "nextn_predict_layers": "num_nextn_predict_layers",
    "rope.freq_base_swa": "rope_local_base_freq",
    "shortconv.l_cache": "conv_L_cache",
}
"""What families call a setting, and what Hugging Face's files do."""

_NOTES: Mapping[str, str] = {
    r"_name_or_path|architectures|transformers_version|auto_map(\..*)?": "where it comes from",
    r"is_llama_config|unsloth_.*|_?attn_implementation.*|transformers\.js_config\..*": "where it comes from",
    r"(torch_)?dtype|use_cache|output_.*|return_dict.*|use_return_dict": "how its makers ran it",
    r"torchscript|use_bfloat16|pruned_heads|max_sequence_length": "of transformers' and older files'",
    r"max_length|min_length|do_sample|num_.*beam.*|.*_penalty|.*no_repeat_ngram_size": "of generation",
    r"temperature|top_[kp]|typical_p|num_return_sequences|remove_invalid_values|early_stopping": "of generation",
    r"gradient_checkpointing|tf_legacy_loss|chunk_size_feed_forward": "of training",
    r".*_(dropout|pdrop)(_prob)?|dropout|initializer_range|pretraining_tp": "of training",
    r".*_token_id(\.\d+)?|vocab_size": "the tokenizer's, and the embedding tells",
    r"(id2label|label2id|task_specific_params)(\..*)?|num_labels|problem_type": "of tasks that it is not run for",
    r"max_window_layers|_?sliding_window(_pattern)?": "looked at where a window is in use",
    r"rope_(scaling|parameters)\.(original_max_position_embeddings|beta_(fast|slow)|mscale(_all_dim)?|truncate)": (
        "read where the kind of scaling needs it"
    ),
    r"original_max_position_embeddings": "read where the rope is scaled",
    r"rope_(scaling|parameters)\.finetuned": "how its makers trained it",
    r"quantization(_config)?\..*": "MLX's, by which the tensors were read",
    r"router_aux_loss_coef|output_router_logits|router_jitter_noise": "of training",
    r"cache_implementation|tie_word_embeddings": "the tensors tell",
}
"""Settings as regular expressions, and why they may be left out."""

_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "attention_bias": (False,),
    "mlp_bias": (False,),
    "partial_rotary_factor": (1.0,),
    "rope_parameters.partial_rotary_factor": (1.0,),
    "use_bias": (False,),
    "use_bidirectional_attention": (False,),
    "use_sliding_window": (False,),
    "add_cross_attention": (False,),
    "is_decoder": (True, False),
    "is_encoder_decoder": (False,),
    "rope_interleaved": (False,),
    "tie_encoder_decoder": (False,),
    "use_mrope": (False,),
}
"""Values that say what is the case without them."""


LEFTOVERS = Leftovers(
    {
        r"lm_head\.weight": "the embedding serves where a file ties the two",
        r".*rotary_emb\.inv_freq": "the rope's frequencies, which follow from its base",
    },
    _NOTES,
    _NEUTRAL,
)


_SENSES = "they look at images or listen, of which this model gets none"

LANGUAGE_LEFTOVERS = LEFTOVERS.extended(
    tensors={
        r"(model\.)?((vision|audio)_tower|vision_(model|embedder)|embed_(vision|audio))\..*": _SENSES,
        r"(model\.)?(multi_modal_projector|patch_merger)\..*": _SENSES,
    },
    settings={
        r".*_token_index|spatial_merge_size|mm_tokens_per_image": _SENSES,
        r"(vision|audio)_.*|(multimodal_)?projector_.*": _SENSES,
    },
)
"""Those of the language models of families that look at images or listen, too."""

DRAFTING_LEFTOVERS = LEFTOVERS.extended(
    tensors={r"(model\.)?mtp[._].*": "they draft tokens that the model then checks"},
    settings={r"mtp_.*|num_(mtp_layers|nextn_predict_layers)": "of the layers that draft tokens"},
)
"""Those of families whose layers that draft are named apart from the others."""

NO_ROPE: Mapping[str, str] = {
    r"rope_(theta|scaling|parameters)(\..*)?|rope_interleave|partial_rotary_factor": "its attention has no rope"
}
"""Settings of families whose attention has no rope."""

_PREFIXES = {
    "language_model.model.": "model.",
    "language_model.lm_head.": "lm_head.",
    "model.language_model.": "model.",
    "model.text_model.": "model.",
}
"""How the tensors of a language model are called within a model that looks at images, too, and alone."""


_BARE = ("embed_tokens.", "layers.", "norm.")
"""How they are called in a model without an output projection."""


def text_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the language model in a model that looks at images, too; all of another model's."""
    text = config.get("text_config")
    if not isinstance(text, Mapping):
        return dict(config)
    outer = {key: value for key, value in config.items() if key not in ("text_config", "vision_config")}
    return {**outer, **text}


def text_tensors(tensors: Mapping[str, T]) -> dict[str, T]:
    """Returns the tensors with those of a language model named as if it were alone, with an output projection."""
    if "embed_tokens.weight" in tensors:
        return {f"model.{name}" if name.startswith(_BARE) else name: tensor for name, tensor in tensors.items()}
    return {_alone(name): tensor for name, tensor in tensors.items()}


def renamed(tensors: Mapping[str, T], rules: Mapping[str, str]) -> dict[str, T]:
    """Returns the tensors by names of which regular expressions are replaced, one after another."""
    made: dict[str, T] = {}
    for name, tensor in tensors.items():
        for expression, instead in rules.items():
            name = re.sub(expression, instead, name)
        made[name] = tensor
    return made


def architecture_of(model_type: str, config: Mapping[str, Any]) -> str:
    """Returns what mlxr calls a folder's architecture: its ``model_type``, but where published code has given another
    model the name of one that there was."""
    if model_type == "bert" and config.get("position_embedding_type") == "alibi":
        return "jina-bert-v2"
    return model_type


def _alone(name: str) -> str:
    prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
    return name if prefix is None else _PREFIXES[prefix] + name.removeprefix(prefix)


def flattened(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Returns nested settings as ``outer.inner``; nulls say as much as no entry, and are left out."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= flattened(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = value
    return flat
