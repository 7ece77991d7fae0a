"""Where most encoders keep their tensors, by format: what a family's own table starts from."""

from __future__ import annotations

from collections.abc import Mapping

from mlxr.models.architectures.names import GGUF_ATTENTION_BIASES
from mlxr.models.architectures.tensors import Names

GGUF_ENCODER: Names = {
    "embedding": "token_embd.weight",
    "segments": "token_types.weight",
    "embedding_norm": "token_embd_norm.weight",
    "embedding_norm_bias": "token_embd_norm.bias",
    "query": "blk.{layer}.attn_q.weight",
    "key": "blk.{layer}.attn_k.weight",
    "value": "blk.{layer}.attn_v.weight",
    "query_key_value": "blk.{layer}.attn_qkv.weight",
    "query_key_value_bias": "blk.{layer}.attn_qkv.bias",
    **GGUF_ATTENTION_BIASES,
    "output": "blk.{layer}.attn_output.weight",
    "output_bias": "blk.{layer}.attn_output.bias",
    "attention_norm": "blk.{layer}.attn_output_norm.weight",
    "attention_norm_bias": "blk.{layer}.attn_output_norm.bias",
    "up": "blk.{layer}.ffn_up.weight",
    "up_bias": "blk.{layer}.ffn_up.bias",
    "down": "blk.{layer}.ffn_down.weight",
    "down_bias": "blk.{layer}.ffn_down.bias",
    "feed_forward_norm": "blk.{layer}.layer_output_norm.weight",
    "feed_forward_norm_bias": "blk.{layer}.layer_output_norm.bias",
}
"""Of encoders with a norm behind each half, BERT's kin."""

GGUF_BERT: Names = {**GGUF_ENCODER, "positions": "position_embd.weight"}

_BERT = "encoder.layer.{layer}"

HUGGING_FACE_BERT: Names = {
    "embedding": "embeddings.word_embeddings.weight",
    "positions": "embeddings.position_embeddings.weight",
    "segments": "embeddings.token_type_embeddings.weight",
    "embedding_norm": "embeddings.LayerNorm.weight",
    "embedding_norm_bias": "embeddings.LayerNorm.bias",
    "query": f"{_BERT}.attention.self.query.weight",
    "query_bias": f"{_BERT}.attention.self.query.bias",
    "key": f"{_BERT}.attention.self.key.weight",
    "key_bias": f"{_BERT}.attention.self.key.bias",
    "value": f"{_BERT}.attention.self.value.weight",
    "value_bias": f"{_BERT}.attention.self.value.bias",
    "output": f"{_BERT}.attention.output.dense.weight",
    "output_bias": f"{_BERT}.attention.output.dense.bias",
    "attention_norm": f"{_BERT}.attention.output.LayerNorm.weight",
    "attention_norm_bias": f"{_BERT}.attention.output.LayerNorm.bias",
    "up": f"{_BERT}.intermediate.dense.weight",
    "up_bias": f"{_BERT}.intermediate.dense.bias",
    "down": f"{_BERT}.output.dense.weight",
    "down_bias": f"{_BERT}.output.dense.bias",
    "feed_forward_norm": f"{_BERT}.output.LayerNorm.weight",
    "feed_forward_norm_bias": f"{_BERT}.output.LayerNorm.bias",
}

HUGGING_FACE_ROTARY_BERT: Names = {
    "embedding": "embeddings.word_embeddings.weight",
    "segments": "embeddings.token_type_embeddings.weight",
    "embedding_norm": "embeddings.LayerNorm.weight",
    "embedding_norm_bias": "embeddings.LayerNorm.bias",
    "query": "layers.{layer}.self_attn.q_proj.weight",
    "key": "layers.{layer}.self_attn.k_proj.weight",
    "value": "layers.{layer}.self_attn.v_proj.weight",
    "query_key_value": "layers.{layer}.self_attn.qkv_proj.weight",
    "query_bias": "layers.{layer}.self_attn.q_proj.bias",
    "key_bias": "layers.{layer}.self_attn.k_proj.bias",
    "value_bias": "layers.{layer}.self_attn.v_proj.bias",
    "query_key_value_bias": "layers.{layer}.self_attn.qkv_proj.bias",
    "output": "layers.{layer}.self_attn.o_proj.weight",
    "output_bias": "layers.{layer}.self_attn.o_proj.bias",
    "attention_norm": "layers.{layer}.post_attention_layernorm.weight",
    "attention_norm_bias": "layers.{layer}.post_attention_layernorm.bias",
    "feed_forward_norm": "layers.{layer}.post_mlp_layernorm.weight",
    "feed_forward_norm_bias": "layers.{layer}.post_mlp_layernorm.bias",
}
"""Of BERT's kin with rotary positions, as transformers names them, but for the perceptron."""

FLASH_ATTENTION: Mapping[str, str] = {
    r"^encoder\.layers\.": "layers.",
    r"^emb_ln\.": "embeddings.LayerNorm.",
    r"\.(attn|mixer)\.Wqkv\.": ".self_attn.qkv_proj.",
    r"\.(attn|mixer)\.out_proj\.": ".self_attn.o_proj.",
    r"\.norm1\.": ".post_attention_layernorm.",
    r"\.norm2\.": ".post_mlp_layernorm.",
}
"""Names of the same tensors in folders written by BERTs of the library ``flash_attn``, as regular expressions, and what
stands instead."""

FLASH_ATTENTION_SETTINGS: Mapping[str, str] = {
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "n_layer": "num_hidden_layers",
    "n_positions": "max_position_embeddings",
    "layer_norm_epsilon": "layer_norm_eps",
    "rotary_emb_base": "rope_theta",
}
"""What they call settings, after GPT-2's, and what most others do."""
