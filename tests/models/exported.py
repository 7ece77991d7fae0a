"""A GGUF file's model as Hugging Face would publish it: a folder with its weights, vocabulary and chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from mlxr.metal.reference.dequantize import dequantize
from mlxr.models.formats.gguf.file import GGUFFile
from tests.models.architectures.checkpoints import IN_GGUF

CONTROL = 3
"""GGUF's type of tokens that are special."""


def export_llama(model: Path, folder: Path) -> Path:
    """A Llama with a byte-level vocabulary that splits digits (SmolLM2), in float16."""
    file = GGUFFile.open(model)
    folder.mkdir(parents=True)
    _write_config(file.metadata, folder)
    write_tokenizer(file.metadata, folder)
    heads = int(file.metadata["llama.attention.head_count"])
    head_dim = int(file.metadata["llama.embedding_length"]) // heads
    tensors: dict[str, NDArray[Any]] = {}
    for name, stored in file.tensors.items():
        values = dequantize(stored.read()).astype(np.float16)
        if ".attn_q." in name or ".attn_k." in name:  # neighbours turn together in GGUF, halves in folders
            values = values.reshape(-1, head_dim // 2, 2, values.shape[-1]).swapaxes(1, 2).reshape(values.shape)
        tensors[_name(name)] = np.ascontiguousarray(values)
    save_file(tensors, folder / "model.safetensors")
    return folder


def _name(name: str) -> str:
    names = {ours: theirs for theirs, ours in IN_GGUF.items()}
    stem, _, ending = name.rpartition(".")
    if not stem.startswith("blk."):
        return f"{names[stem]}.{ending}"
    _, layer, part = stem.split(".", 2)
    return f"model.layers.{layer}.{names[part]}.{ending}"


def _write_config(metadata: dict[str, Any], folder: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": metadata["llama.embedding_length"],
        "intermediate_size": metadata["llama.feed_forward_length"],
        "max_position_embeddings": metadata["llama.context_length"],
        "num_attention_heads": metadata["llama.attention.head_count"],
        "num_key_value_heads": metadata["llama.attention.head_count_kv"],
        "num_hidden_layers": metadata["llama.block_count"],
        "rms_norm_eps": metadata["llama.attention.layer_norm_rms_epsilon"],
        "rope_theta": metadata["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "vocab_size": len(metadata["tokenizer.ggml.tokens"]),
    }
    (folder / "config.json").write_text(json.dumps(config, default=float))


def write_tokenizer(metadata: dict[str, Any], folder: Path) -> None:
    tokens = list(metadata["tokenizer.ggml.tokens"])
    types = list(metadata["tokenizer.ggml.token_type"])
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    pipeline = Tokenizer(models.BPE({token: id for id, token in enumerate(tokens)}, merges))
    pipeline.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    pipeline.decoder = decoders.ByteLevel()
    control = [token for token, type in zip(tokens, types, strict=True) if type == CONTROL]
    pipeline.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    pipeline.save(str(folder / "tokenizer.json"))
    settings = {
        "bos_token": tokens[metadata["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[metadata["tokenizer.ggml.eos_token_id"]],
        "chat_template": metadata["tokenizer.chat_template"],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
