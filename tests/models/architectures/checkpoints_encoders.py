"""Tiny random encoders and rerankers as model folders and as the GGUF files that llama.cpp's converter makes of them.

``record_encoders.py`` writes down which tensors transformers' models of these configurations have, and what comes out.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray
from safetensors.numpy import save_file

Config = dict[str, Any]
Array = NDArray[np.float32]

TOKENS = [2, *np.random.default_rng(3).integers(5, 90, 37).tolist(), 3]
"""A pair: the second part begins at ``SECOND``."""
SECOND = 12

_SIZES = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
}
_ONE_LABEL = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
_XLM = {"model_type": "xlm-roberta", "type_vocab_size": 1, "pad_token_id": 1, "max_position_embeddings": 66}
_MODERN = {
    **{key: value for key, value in _SIZES.items() if key not in ("type_vocab_size", "hidden_act", "layer_norm_eps")},
    "model_type": "modernbert",
    "num_hidden_layers": 4,
    "norm_eps": 1e-6,
    "layer_norm_eps": 1e-6,
    "local_attention": 12,
    "global_attn_every_n_layers": 3,
    "global_rope_theta": 500.0,
    "local_rope_theta": 100.0,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
_QWEN = {
    "model_type": "qwen3",
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "pad_token_id": 0,
}

CASES: dict[str, Config] = {
    "bert": {**_SIZES, "model_type": "bert", "architectures": ["BertModel"]},
    "bert ranker": {
        **_SIZES,
        **_ONE_LABEL,
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
    },
    "xlm-roberta": {**_SIZES, **_XLM, "architectures": ["XLMRobertaModel"]},
    "xlm-roberta ranker": {
        **_SIZES,
        **_XLM,
        **_ONE_LABEL,
        "architectures": ["XLMRobertaForSequenceClassification"],
    },
    "nomic_bert": {
        **_SIZES,
        "model_type": "nomic_bert",
        "hidden_act": "silu",
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0},
        "architectures": ["NomicBertModel"],
    },
    "jina_embeddings_v3": {
        **_SIZES,
        "model_type": "jina_embeddings_v3",
        "type_vocab_size": 1,
        "pad_token_id": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 20000.0},
        "architectures": ["JinaEmbeddingsV3Model"],
    },
    "gte": {
        **_SIZES,
        "model_type": "gte",
        "type_vocab_size": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 160000.0},
        "architectures": ["GteModel"],
    },
    "gte ranker": {
        **_SIZES,
        **_ONE_LABEL,
        "model_type": "gte",
        "type_vocab_size": 0,
        "rope_parameters": {"rope_type": "default", "rope_theta": 160000.0},
        "architectures": ["GteForSequenceClassification"],
    },
    "modernbert": {**_MODERN, "architectures": ["ModernBertModel"]},
    "modernbert ranker": {
        **_MODERN,
        **_ONE_LABEL,
        "classifier_pooling": "mean",
        "architectures": ["ModernBertForSequenceClassification"],
    },
    "embedding gemma": {
        "model_type": "gemma3_text",
        "architectures": ["Gemma3TextModel"],
        "vocab_size": 96,
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 7,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 64,
        "rms_norm_eps": 1e-6,
        "query_pre_attn_scalar": 16,
        "sliding_window": 12,
        "rope_theta": 1000000.0,
        "rope_local_base_freq": 10000.0,
        "use_bidirectional_attention": True,
        "hidden_activation": "gelu_pytorch_tanh",
    },
    "nomic-bert-moe": {
        **_SIZES,
        "model_type": "nomic_bert",
        "architectures": ["NomicBertModel"],
        "rope_theta": 10000.0,
        "moe_every_n_layers": 2,
        "num_experts": 4,
        "moe_top_k": 2,
    },
    "jina-bert-v2": {
        **_SIZES,
        "model_type": "bert",
        "architectures": ["JinaBertModel"],
        "position_embedding_type": "alibi",
        "feed_forward_type": "geglu",
        "num_attention_heads": 6,
        "hidden_size": 96,
    },
    "qwen3 ranker": {
        **_QWEN,
        **_ONE_LABEL,
        "tie_word_embeddings": True,
        "architectures": ["Qwen3ForSequenceClassification"],
    },
    "qwen3 reranker": {**_QWEN, "tie_word_embeddings": True, "architectures": ["Qwen3ForCausalLM"]},
}
YES, NO = 41, 17
"""The tokens by whose logits "qwen3 reranker" ranks."""

RANKERS = tuple(case for case in CASES if case.endswith("ranker"))
DENSE = {"2_Dense": (128, 64), "3_Dense": (64, 128)}
"""Stages behind EmbeddingGemma's pooling: rows and columns of their matrices."""


def values_of(name: str, shape: tuple[int, ...]) -> Array:
    """The numbers of a tensor, which depend on its name and shape alone."""
    random = np.random.RandomState(zlib.crc32(name.encode()) % (1 << 31))
    values = random.standard_normal(shape)
    if len(shape) > 1:
        return (values * (1.0 if "embed" in name or "_embd" in name else 1.5 * shape[-1] ** -0.5)).astype(np.float32)
    norm = "norm" in name.lower() or "_ln" in name
    around = 1.0 if norm and name.endswith("weight") and "gemma" not in name else 0.0
    return (around + 0.3 * values).astype(np.float32)


def tensors_of(shapes: Mapping[str, list[int]]) -> dict[str, Array]:
    return {name: values_of(name, tuple(shape)) for name, shape in shapes.items()}


def write_encoder(folder: Path, config: Config, tensors: Mapping[str, Array]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(dict(tensors), folder / "model.safetensors", {"format": "pt"})
    return folder


def write_dense(folder: Path) -> Path:
    """The stages of EmbeddingGemma, beside its model."""
    stages = ["", "1_Pooling", *DENSE, "4_Normalize"]
    kinds = ["Transformer", "Pooling", "Dense", "Dense", "Normalize"]
    modules = [
        {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for index, (path, kind) in enumerate(zip(stages, kinds, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    for place, (rows, columns) in DENSE.items():
        (folder / place).mkdir()
        settings = {
            "in_features": columns,
            "out_features": rows,
            "bias": False,
            "activation_function": "torch.nn.modules.linear.Identity",
        }
        (folder / place / "config.json").write_text(json.dumps(settings))
        weight = {"linear.weight": values_of(f"{place}/linear.weight", (rows, columns))}
        save_file(weight, folder / place / "model.safetensors")
    return folder


def write_text_reranker(folder: Path) -> Path:
    """sentence-transformers' files of a text model that ranks."""
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_LogitScore",
            "type": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore",
        },
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_LogitScore").mkdir()
    settings = {"true_token_id": YES, "false_token_id": NO, "module_input_name": "causal_logits"}
    (folder / "1_LogitScore" / "config.json").write_text(json.dumps(settings))
    return folder


_BERT = {
    r"^(bert|roberta|nomic_bert|gte|new|model)\.": "",
    r"^embeddings\.(word|tok)_embeddings": "token_embd",
    r"^embeddings\.position_embeddings": "position_embd",
    r"^embeddings\.token_type_embeddings": "token_types",
    r"^(embeddings\.(LayerNorm|norm)|emb_ln)": "token_embd_norm",
    r"^(encoder\.)?layers?\.(\d+)": r"blk.\2",
    r"attention\.self\.(query|key|value)": lambda found: f"attn_{found[1][0]}",
    r"(attention\.output\.dense|(attn|mixer)\.out_proj|attn\.Wo)": "attn_output",
    r"(attention\.output\.LayerNorm|\.norm1)": lambda found: ("." if found[0][0] == "." else "") + "attn_output_norm",
    r"(attn|mixer)\.Wqkv": "attn_qkv",
    r"intermediate\.dense": "ffn_up",
    r"mlp\.router\.layer": "ffn_gate_inp",
    r"mlp\.experts\.mlp\.w1": "ffn_up_exps.weight",
    r"mlp\.experts\.mlp\.w2": "ffn_down_exps.weight",
    r"mlp\.fc12": "ffn_gate",
    r"mlp\.(fc11|fc1|Wi|gated_layers)": "ffn_up",
    r"mlp\.(fc2|Wo|wo)": "ffn_down",
    r"mlp\.layernorm": "layer_output_norm",
    r"output\.dense": "ffn_down",
    r"(output\.LayerNorm|\.norm2)": lambda found: ("." if found[0][0] == "." else "") + "layer_output_norm",
    r"mlp_norm": "ffn_norm",
    r"^final_norm": "output_norm",
    r"^classifier\.dense": "cls",
    r"^classifier(\.out_proj)?\.": "cls.output.",
    r"^head\.dense": "cls",
    r"^head\.norm": "cls.norm",
}
"""What the converter makes of names, one after another."""

_DECODER = {
    r"^(model\.)?": "",
    r"^embed_tokens": "token_embd",
    r"^norm\.": "output_norm.",
    r"^layers\.(\d+)": r"blk.\1",
    r"self_attn\.([qkv])_proj": r"attn_\1",
    r"self_attn\.o_proj": "attn_output",
    r"self_attn\.([qk])_norm": r"attn_\1_norm",
    r"mlp\.(gate|up|down)_proj": r"ffn_\1",
    r"input_layernorm": "attn_norm",
}
_GEMMA = {
    **_DECODER,
    r"post_attention_layernorm": "post_attention_norm",
    r"pre_feedforward_layernorm": "ffn_norm",
    r"post_feedforward_layernorm": "post_ffw_norm",
}
_QWEN_NAMES = {**_DECODER, r"post_attention_layernorm": "ffn_norm", r"^score": "cls.output"}

ARCHITECTURES = {
    "bert": "bert",
    "xlm-roberta": "bert",
    "nomic_bert": "nomic-bert",
    "jina_embeddings_v3": "jina-bert-v3",
    "modernbert": "modern-bert",
    "gemma3_text": "gemma-embedding",
    "qwen3": "qwen3",
}
OWN_NAMES = ("jina-bert-v2", "nomic-bert-moe")
"""Cases that llama.cpp calls so."""

IN_GGUF = tuple(case for case in CASES if not case.startswith("gte"))
"""llama.cpp has no GTE."""


def write_encoder_gguf(
    path: Path,
    case: str,
    config: Config,
    tensors: Mapping[str, Array],
    pooling: int = 0,
    pieces: Sequence[str] = (),
) -> Path:
    """The model as llama.cpp's converter writes it; its ``pooling`` type is left out where 0. ``pieces``: XLM-RoBERTa's
    tokens behind its four special ones."""
    architecture = case if case in OWN_NAMES else ARCHITECTURES[config["model_type"]]
    writer = GGUFWriter(path, architecture)
    offset = config["pad_token_id"] + 1 if config["model_type"] == "xlm-roberta" else 0
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"] - offset)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    if "num_key_value_heads" in config:
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_key_length(config["head_dim"])
        writer.add_value_length(config["head_dim"])
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    else:
        writer.add_layer_norm_eps(config.get("layer_norm_eps", config.get("norm_eps")))
        writer.add_causal_attention(False)
    rope = config.get("rope_parameters", {}).get(
        "rope_theta", config.get("rope_theta", config.get("global_rope_theta"))
    )
    if rope:
        writer.add_rope_freq_base(rope)
    if local := config.get("local_rope_theta", config.get("rope_local_base_freq")):
        writer.add_float32(f"{architecture}.rope.freq_base_swa", local)
    if window := config.get("local_attention", config.get("sliding_window")):
        writer.add_sliding_window(window)
    if every := config.get("global_attn_every_n_layers"):
        writer.add_uint32(f"{architecture}.attention.sliding_window_pattern", every)
        writer.add_rope_scaling_type(_NO_SCALING)
        writer.add_vocab_size(config["vocab_size"])
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["moe_top_k"])
        writer.add_moe_every_n_layers(config["moe_every_n_layers"])
    if way := config.get("classifier_pooling"):
        writer.add_uint32(f"{architecture}.classifier.pooling_type", {"mean": 1, "cls": 2}[way])
    if case in RANKERS:
        writer.add_array(
            f"{architecture}.classifier.output_labels", ["yes", "no"] if case == "qwen3 reranker" else ["LABEL_0"]
        )
    if pooling:
        writer.add_uint32(f"{architecture}.pooling_type", pooling)
    if pieces:
        writer.add_tokenizer_model("t5")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(["<s>", "<pad>", "</s>", "<unk>", *pieces])
        writer.add_token_scores([0.0] * 4 + [-1.0] * len(pieces))
        writer.add_token_types([3, 3, 3, 2] + [1] * len(pieces))
        writer.add_add_space_prefix(True)
        writer.add_remove_extra_whitespaces(True)
        writer.add_bos_token_id(0)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(3)
    for name, values in _in_gguf(case, config, tensors).items():
        writer.add_tensor(name, np.ascontiguousarray(values))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _in_gguf(case: str, config: Config, tensors: Mapping[str, Array]) -> dict[str, Array]:
    rules: Mapping[str, Any] = {"gemma3_text": _GEMMA, "qwen3": _QWEN_NAMES}.get(config["model_type"], _BERT)
    made = {}
    for name, values in tensors.items():
        if "pooler." in name or name.startswith(("cls.", "lm_head.")):
            continue
        new = name
        for expression, instead in rules.items():
            new = re.sub(expression, instead, new)
        if new == "position_embd.weight" and config["model_type"] == "xlm-roberta":
            values = values[config["pad_token_id"] + 1 :]
        if ".experts." in name:
            values = values.reshape(config["num_experts"], config["intermediate_size"], -1)
            values = values.swapaxes(1, 2) if name.endswith("w2") else values
        if config["model_type"] == "gemma3_text" and new.endswith("norm.weight"):
            values = values + 1
        made[new] = values
    if case == "qwen3 reranker":
        made["cls.output.weight"] = made["token_embd.weight"][[YES, NO]]
    return made


class _Scaling(str):
    value = "none"


_NO_SCALING: Any = _Scaling("none")
