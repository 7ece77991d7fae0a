"""Adapters in GGUF files, as llama.cpp's ``convert_lora_to_gguf.py`` writes them: for a tensor ``NAME`` of the model
``NAME.lora_a`` ``[rank, in]`` and ``NAME.lora_b`` ``[out, rank]``, rows in the order of the model's own GGUF file."""

from __future__ import annotations

from pathlib import Path

from mlxr.models.adapters.file import AdapterFile, Pair, checked, paired
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.modelfile import StoredTensor

TYPE = "adapter"
"""``general.type`` of such a file."""
DOWN, UP = ".lora_a", ".lora_b"


def open_gguf(path: Path) -> AdapterFile:
    """Raises ``ModelFileError`` for malformed files, ``UnsupportedModelError`` for adapters of another kind."""
    file = GGUFFile.open(path, type=TYPE)
    settings = Hyperparameters(path, file.metadata)
    kind = settings.text("adapter.type")
    if kind != "lora":
        raise UnsupportedModelError(path, f"is an adapter of the type {kind[:40]!r}; mlxr knows 'lora'")
    if "adapter.alora.invocation_tokens" in settings:
        reason = "is an activated LoRA (adapter.alora.invocation_tokens), which takes effect from some tokens on"
        raise UnsupportedModelError(path, f"{reason}; mlxr applies adapters to whole sequences, so use a plain one")
    alpha = settings.number("adapter.lora.alpha", 0.0)
    halves: dict[str, dict[str, StoredTensor]] = {DOWN: {}, UP: {}}
    for name, tensor in file.tensors.items():
        end = next((end for end in halves if name.endswith(end)), None)
        if end is None:
            reason = f"has the tensor {name!r}, which is no part of a low-rank adapter"
            raise UnsupportedModelError(path, f"{reason}; merge the adapter into the model's weights")
        halves[end][name.removesuffix(end)] = tensor
    pairs = {
        name: Pair(down, up, alpha / down.shape[0] if alpha else 1.0)
        for name, (down, up) in paired(path, halves[DOWN], halves[UP]).items()
    }
    base = settings.text("general.base_model.0.name", "")
    return checked(path, Format.GGUF, settings.text("general.architecture"), base, pairs)
