"""Adapters in folders as mlx-lm saves them: ``adapter_config.json`` with ``lora_parameters``, and
``adapters.safetensors``, where a module ``NAME`` of the model has ``NAME.lora_a`` ``[in, rank]`` and ``NAME.lora_b``
``[rank, out]``; their product is multiplied by ``scale``."""

from __future__ import annotations

from pathlib import Path

from mlxr.models.adapters.file import AdapterFile, Pair, checked, paired
from mlxr.models.adapters.file_names import CONFIG, MLX_WEIGHTS
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.safetensors.folder import read_tensors
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.jsonfile import read_json
from mlxr.models.modelfile import StoredTensor

DOWN, UP = ".lora_a", ".lora_b"


def open_mlx(folder: Path) -> AdapterFile:
    """Raises ``ModelFileError`` for malformed and missing files, ``UnsupportedModelError`` for adapters of another
    kind."""
    settings_file = folder / CONFIG
    config = Hyperparameters(settings_file, read_json(settings_file))
    kind = config.text("fine_tune_type", "lora")
    if kind != "lora":
        reason = f"has fine_tune_type {kind[:40]!r}; mlxr knows 'lora', so fuse it into the model's weights"
        raise UnsupportedModelError(config.path, reason)
    settings = config.values.get("lora_parameters")
    if not isinstance(settings, dict):
        raise ModelFileError(config.path, "lacks lora_parameters; train the adapter again with a newer mlx-lm")
    scale = Hyperparameters(config.path, settings).number("scale")
    path = folder / MLX_WEIGHTS
    halves: dict[str, dict[str, StoredTensor]] = {DOWN: {}, UP: {}}
    for name, tensor in read_tensors(path).items():
        end = next((end for end in halves if name.endswith(end)), None)
        if end is None:
            reason = f"has the tensor {name!r}, which is no part of a low-rank adapter"
            raise UnsupportedModelError(path, f"{reason}; fuse the adapter into the model's weights")
        halves[end][name.removesuffix(end)] = tensor
    pairs = {
        f"{module}.weight": Pair(down, up, scale, transposed=True)
        for module, (down, up) in paired(path, halves[DOWN], halves[UP]).items()
    }
    return checked(path, Format.MLX, "", config.text("model", ""), pairs)
