"""Where most families keep their tensors, by format: what a family's own table starts from."""

from __future__ import annotations

from mlxr.models.architectures.tensors import Names

PROJECTIONS = ("gate_proj", "up_proj", "down_proj")
GATED = ("gate", "up", "down")
MIXTRAL = ("w1", "w3", "w2")
UNGATED = ("", "up_proj", "down_proj")
"""What folders call the parts of a perceptron: gate, up and down; nothing for one that it lacks."""


def perceptron(place: str, parts: tuple[str, str, str] = PROJECTIONS) -> Names:
    """Returns where folders have a layer's perceptron, whose module is ``place``. ``parts``: what it calls gate,
    up and down."""
    return _parts(place, parts, "{}")


def attention(place: str, output: str = "o_proj") -> Names:
    """Returns where folders have a layer's projections of attention, whose module is ``place``."""
    parts = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": output}
    return {role: f"{place}.{name}.weight" for role, name in parts.items()}


def one_norm(place: str) -> Names:
    """Returns where the layer norm is that both halves of a layer read, whose module is ``place``."""
    halves = ("attention_norm", "feed_forward_norm")
    return {f"{half}{role}": f"{place}.{kind}" for half in halves for role, kind in (("", "weight"), ("_bias", "bias"))}


def deepseek_experts(place: str, parts: tuple[str, str, str] = PROJECTIONS) -> Names:
    """Returns where folders have a mixture as DeepSeek-V3's, whose module is ``place``; the rest as in
    ``perceptron``."""
    return {
        "router": f"{place}.gate.weight",
        **each_expert(f"{place}.experts", parts),
        **shared_expert(f"{place}.shared_experts", parts),
        "choice_bias": f"{place}.gate.e_score_correction_bias",
    }


def each_expert(place: str, parts: tuple[str, str, str] = PROJECTIONS) -> Names:
    """Returns where folders have experts that are tensors of their own, below ``place``; the rest as in
    ``perceptron``."""
    return _parts(f"{place}.{{expert}}", parts, "experts_{}")


def experts(place: str, parts: tuple[str, str, str] = PROJECTIONS) -> Names:
    """Returns the same of experts that one tensor holds for each part, by the roles of such in GGUF files."""
    return _parts(place, parts, "experts_{}")


def experts_together(place: str, parts: tuple[str, str, str] = PROJECTIONS) -> Names:
    """Returns the same of those that some folders of a family have, beside others that keep each expert apart."""
    return _parts(place, parts, "experts_{}_together")


def shared_expert(place: str, parts: tuple[str, str, str] = PROJECTIONS) -> Names:
    """Returns where folders have what every token uses beside the experts, as in ``perceptron``."""
    return _parts(place, parts, "shared_{}")


def _parts(place: str, parts: tuple[str, str, str], role: str) -> Names:
    return {role.format(part): f"{place}.{name}.weight" for part, name in zip(GATED, parts, strict=True) if name}


GGUF: Names = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
    "attention_norm": "blk.{layer}.attn_norm.weight",
    "query": "blk.{layer}.attn_q.weight",
    "key": "blk.{layer}.attn_k.weight",
    "value": "blk.{layer}.attn_v.weight",
    "output": "blk.{layer}.attn_output.weight",
    "feed_forward_norm": "blk.{layer}.ffn_norm.weight",
    "gate": "blk.{layer}.ffn_gate.weight",
    "up": "blk.{layer}.ffn_up.weight",
    "down": "blk.{layer}.ffn_down.weight",
}

GGUF_QKV: Names = {"query_key_value": "blk.{layer}.attn_qkv.weight"}
"""Queries, keys and values in one matrix."""

GGUF_MLP_BIASES: Names = {
    "up_bias": "blk.{layer}.ffn_up.bias",
    "down_bias": "blk.{layer}.ffn_down.bias",
}

GGUF_ATTENTION_BIASES: Names = {
    "query_bias": "blk.{layer}.attn_q.bias",
    "key_bias": "blk.{layer}.attn_k.bias",
    "value_bias": "blk.{layer}.attn_v.bias",
}

GGUF_HEAD_NORMS: Names = {
    "query_norm": "blk.{layer}.attn_q_norm.weight",
    "key_norm": "blk.{layer}.attn_k_norm.weight",
}

GGUF_POST_NORMS: Names = {
    "attention_post_norm": "blk.{layer}.post_attention_norm.weight",
    "feed_forward_post_norm": "blk.{layer}.post_ffw_norm.weight",
}

GGUF_NORM_BIASES: Names = {
    "norm_bias": "output_norm.bias",
    "attention_norm_bias": "blk.{layer}.attn_norm.bias",
    "feed_forward_norm_bias": "blk.{layer}.ffn_norm.bias",
}

GGUF_EXPERTS: Names = {
    "router": "blk.{layer}.ffn_gate_inp.weight",
    "experts_gate": "blk.{layer}.ffn_gate_exps.weight",
    "experts_up": "blk.{layer}.ffn_up_exps.weight",
    "experts_down": "blk.{layer}.ffn_down_exps.weight",
    "experts_gate_up": "blk.{layer}.ffn_gate_up_exps.weight",
}

GGUF_SHARED_EXPERT: Names = {
    "shared_gate": "blk.{layer}.ffn_gate_shexp.weight",
    "shared_up": "blk.{layer}.ffn_up_shexp.weight",
    "shared_down": "blk.{layer}.ffn_down_shexp.weight",
}

GGUF_DEEPSEEK_EXPERTS: Names = {
    **GGUF_EXPERTS,
    **GGUF_SHARED_EXPERT,
    "choice_bias": "blk.{layer}.exp_probs_b.bias",
}
"""A mixture as DeepSeek-V3 has it (``routing.py``): what is added to scores where experts are chosen, and some that
every token uses."""

GGUF_GATED_EXPERT: Names = {**GGUF_SHARED_EXPERT, "shared_router": "blk.{layer}.ffn_gate_inp_shexp.weight"}
"""An expert that every token uses as far as a gate of its own lets it."""

GGUF_NORMED_EXPERTS: Names = {
    **GGUF_EXPERTS,
    "router_norm": "blk.{layer}.ffn_gate_inp.scale",
    "expert_scale": "blk.{layer}.ffn_down_exps.scale",
    "shared_norm": "blk.{layer}.ffn_norm.weight",
    "shared_gate": "blk.{layer}.ffn_gate.weight",
    "shared_up": "blk.{layer}.ffn_up.weight",
    "shared_down": "blk.{layer}.ffn_down.weight",
    "shared_post_norm": "blk.{layer}.post_ffw_norm_1.weight",
    "experts_norm": "blk.{layer}.pre_ffw_norm_2.weight",
    "mixture_post_norm": "blk.{layer}.post_ffw_norm_2.weight",
}
"""Of a mixture beside a perceptron, each between norms of its own (``Experts.own_norms``)."""

GGUF_LATENT_ATTENTION: Names = {
    "query_down": "blk.{layer}.attn_q_a.weight",
    "query_down_norm": "blk.{layer}.attn_q_a_norm.weight",
    "query_up": "blk.{layer}.attn_q_b.weight",
    "latent": "blk.{layer}.attn_kv_a_mqa.weight",
    "latent_norm": "blk.{layer}.attn_kv_a_norm.weight",
    "key_up": "blk.{layer}.attn_k_b.weight",
    "value_up": "blk.{layer}.attn_v_b.weight",
    "key_value_up": "blk.{layer}.attn_kv_b.weight",
}

GGUF_PER_LAYER: Names = {
    "per_layer_table": "per_layer_token_embd.weight",
    "per_layer_projection": "per_layer_model_proj.weight",
    "per_layer_norm": "per_layer_proj_norm.weight",
    "per_layer_gate": "blk.{layer}.inp_gate.weight",
    "per_layer_output": "blk.{layer}.proj.weight",
    "per_layer_post_norm": "blk.{layer}.post_norm.weight",
}
"""Of further inputs of each layer, which are looked up by token."""

HUGGING_FACE: Names = {
    "embedding": "model.embed_tokens.weight",
    "norm": "model.norm.weight",
    "head": "lm_head.weight",
    "attention_norm": "model.layers.{layer}.input_layernorm.weight",
    **attention("model.layers.{layer}.self_attn"),
    "feed_forward_norm": "model.layers.{layer}.post_attention_layernorm.weight",
    **perceptron("model.layers.{layer}.mlp"),
}

BACKBONE: Names = {
    "embedding": "backbone.embeddings.weight",
    "norm": "backbone.norm_f.weight",
    "head": "lm_head.weight",
    "attention_norm": "backbone.layers.{layer}.norm.weight",
}
"""Of models that are named as Mamba is."""

HUGGING_FACE_ATTENTION_BIASES: Names = {
    "query_bias": "model.layers.{layer}.self_attn.q_proj.bias",
    "key_bias": "model.layers.{layer}.self_attn.k_proj.bias",
    "value_bias": "model.layers.{layer}.self_attn.v_proj.bias",
}

HUGGING_FACE_HEAD_NORMS: Names = {
    "query_norm": "model.layers.{layer}.self_attn.q_norm.weight",
    "key_norm": "model.layers.{layer}.self_attn.k_norm.weight",
}

HUGGING_FACE_NORM_BIASES: Names = {
    "norm_bias": "model.norm.bias",
    "attention_norm_bias": "model.layers.{layer}.input_layernorm.bias",
    "feed_forward_norm_bias": "model.layers.{layer}.post_attention_layernorm.bias",
}

HUGGING_FACE_GEMMA_NORMS: Names = {
    "attention_post_norm": "model.layers.{layer}.post_attention_layernorm.weight",
    "feed_forward_norm": "model.layers.{layer}.pre_feedforward_layernorm.weight",
    "feed_forward_post_norm": "model.layers.{layer}.post_feedforward_layernorm.weight",
}
"""Gemma's, whose norm behind attention has the name of the one that others have before the feed-forward."""

HUGGING_FACE_EXPERTS: Names = {
    "router": "model.layers.{layer}.mlp.gate.weight",
    **each_expert("model.layers.{layer}.mlp.experts"),
}

HUGGING_FACE_SHARED_EXPERT: Names = {
    **shared_expert("model.layers.{layer}.mlp.shared_experts"),
}

HUGGING_FACE_DEEPSEEK_EXPERTS: Names = deepseek_experts("model.layers.{layer}.mlp")

HUGGING_FACE_NORMED_EXPERTS: Names = {
    "router": "model.layers.{layer}.router.proj.weight",
    "router_norm": "model.layers.{layer}.router.scale",
    "expert_scale": "model.layers.{layer}.router.per_expert_scale",
    "experts_gate_up": "model.layers.{layer}.experts.gate_up_proj",
    **experts("model.layers.{layer}.experts.switch_glu"),
    "experts_down_together": "model.layers.{layer}.experts.down_proj",
    "shared_norm": "model.layers.{layer}.pre_feedforward_layernorm.weight",
    **shared_expert("model.layers.{layer}.mlp"),
    "shared_post_norm": "model.layers.{layer}.post_feedforward_layernorm_1.weight",
    "experts_norm": "model.layers.{layer}.pre_feedforward_layernorm_2.weight",
    "mixture_post_norm": "model.layers.{layer}.post_feedforward_layernorm_2.weight",
}

MLX_EXPERTS: Names = {
    **experts_together("model.layers.{layer}.mlp.switch_mlp"),
}
"""mlx-lm's own, beside those of Hugging Face, in folders quantized or not."""

HUGGING_FACE_PER_LAYER: Names = {
    "per_layer_table": "model.embed_tokens_per_layer.weight",
    "per_layer_projection": "model.per_layer_model_projection.weight",
    "per_layer_norm": "model.per_layer_projection_norm.weight",
    "per_layer_gate": "model.layers.{layer}.per_layer_input_gate.weight",
    "per_layer_output": "model.layers.{layer}.per_layer_projection.weight",
    "per_layer_post_norm": "model.layers.{layer}.post_per_layer_input_norm.weight",
}

HUGGING_FACE_LATENT_ATTENTION: Names = {
    "query_down": "model.layers.{layer}.self_attn.q_a_proj.weight",
    "query_down_norm": "model.layers.{layer}.self_attn.q_a_layernorm.weight",
    "query_up": "model.layers.{layer}.self_attn.q_b_proj.weight",
    "latent": "model.layers.{layer}.self_attn.kv_a_proj_with_mqa.weight",
    "latent_norm": "model.layers.{layer}.self_attn.kv_a_layernorm.weight",
    "key_value_up": "model.layers.{layer}.self_attn.kv_b_proj.weight",
}

MLX_LATENT_ATTENTION: Names = {
    **HUGGING_FACE_LATENT_ATTENTION,
    "key_up": "model.layers.{layer}.self_attn.embed_q.weight",
    "value_up": "model.layers.{layer}.self_attn.unembed_out.weight",
}
"""mlx-lm takes the matrix of keys and values apart since 2026."""

HUGGING_FACE_GATED_EXPERT: Names = {
    "shared_router": "model.layers.{layer}.mlp.shared_expert_gate.weight",
    **shared_expert("model.layers.{layer}.mlp.shared_expert"),
}
"""An expert that every token uses as far as a gate of its own lets it."""

GGUF_DRAFTING: Names = {
    "draft_projection": "blk.{layer}.nextn.eh_proj.weight",
    "draft_token_norm": "blk.{layer}.nextn.enorm.weight",
    "draft_hidden_norm": "blk.{layer}.nextn.hnorm.weight",
    "draft_norm": "blk.{layer}.nextn.shared_head_norm.weight",
}
"""What joins token and hidden state for the layer that drafts, and the norm behind it. ``nextn.embed_tokens`` and
``nextn.shared_head_head`` are copies of the model's own."""

HUGGING_FACE_DRAFTING: Names = {
    "draft_projection": "model.layers.{layer}.eh_proj.weight",
    "draft_token_norm": "model.layers.{layer}.enorm.weight",
    "draft_hidden_norm": "model.layers.{layer}.hnorm.weight",
    "draft_norm": "model.layers.{layer}.shared_head.norm.weight",
}

QWEN_DRAFTING: Names = {
    "draft_projection": "mtp.fc.weight",
    "draft_token_norm": "mtp.pre_fc_norm_embedding.weight",
    "draft_hidden_norm": "mtp.pre_fc_norm_hidden.weight",
    "draft_norm": "mtp.norm.weight",
}

QWEN_DRAFTING_PLACE = ("model.layers.{layer}.", "mtp.layers.0.")
"""Where Qwen's layer that drafts is, instead of among the others."""
