"""Tiny random checkpoints, made by transformers itself from a configuration and saved as people download them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file


def write_checkpoint(config: Mapping[str, Any], folder: Path, kind: str = "AutoModelForCausalLM") -> Any:
    """Writes a folder with ``config.json`` and ``model.safetensors``, float32; returns the model as it is read back.
    ``kind``: transformers' class.

    The configuration is as it was given, which is how people download it, with what transformers calls the model.
    Beside it are the form that transformers writes today (``saved.json``) and made-up words as the tokenizer.
    """
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dict(config)))
    torch.manual_seed(7)
    made, read = getattr(transformers, kind), transformers.AutoConfig.from_pretrained(folder)
    make = made.from_config if kind.startswith("Auto") else made._from_config
    model = make(read, dtype=torch.float32, attn_implementation="eager")
    with torch.no_grad():
        for name, values in [*model.named_parameters(), *model.named_buffers()]:
            scramble(name, values)
    model.save_pretrained(folder)
    as_published(config["model_type"], folder / "model.safetensors")
    (folder / "config.json").rename(folder / "saved.json")
    named = {**config, "architectures": [type(model).__name__], "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(named))
    words = {f"word{number}": number for number in range(read.get_text_config().vocab_size)}
    (folder / "tokenizer.json").write_text(
        json.dumps({"model": {"type": "WordPiece", "vocab": words}, "added_tokens": []})
    )
    return made.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def as_published(kind: str, path: Path) -> None:
    """Writes a file of tensors anew as published ones have them, where transformers saves what it made otherwise."""
    if kind not in ("kimi_linear", "qwen3_vl_moe"):
        return
    published: dict[str, torch.Tensor] = {}
    for name, tensor in load_file(path).items():
        if kind == "kimi_linear":  # a dense layer has another name than mixtures have
            name = re.sub(r"block_sparse_moe\.(gate|up|down)_proj\.", r"mlp.\1_proj.", name)
        elif ".mlp.experts." in name:  # inputs come first
            tensor = tensor.transpose(1, 2).contiguous()
        published[name] = tensor
    save_file(published, path, {"format": "pt"})


def scramble(name: str, values: torch.Tensor) -> None:
    """Gives a tensor random values that a mistake would show in: no norm is 1, no bias 0. What a model starts with (1
    for norms, -1 to 0 for decays) stays the middle."""
    if not values.is_floating_point() or "inv_freq" in name or name.endswith(("embed_scale", "normalizer")):
        return
    if values.ndim < 2 or min(values.shape) == 1:
        values.add_(torch.rand_like(values) - 0.5)
    else:
        values.normal_(std=1.5 / math.sqrt(values.shape[-1]))


def logits_of(model: Any, tokens: list[int]) -> torch.Tensor:
    """Returns what transformers makes of a sequence, ``[T, vocabulary]``."""
    with torch.no_grad():
        logits: torch.Tensor = model(torch.tensor([tokens]), use_cache=False).logits[0]
    return logits.float()


def hidden_of(model: Any, tokens: list[int]) -> torch.Tensor:
    """Returns the last hidden states of a sequence, ``[T, width]``."""
    with torch.no_grad():
        hidden: torch.Tensor = model(torch.tensor([tokens])).last_hidden_state[0]
    return hidden


def greedy(model: Any, tokens: list[int], count: int) -> list[int]:
    """Returns ``tokens`` and the ``count`` that follow, each the likeliest."""
    written = list(tokens)
    for _ in range(count):
        written.append(int(logits_of(model, written)[-1].argmax()))
    return written
