"""What sentence-transformers keeps beside a model: how hidden states become an embedding, and how long an input may be.

``modules.json`` lists the stages, each stage's folder has its ``config.json``; ``sentence_bert_config.json`` has the
longest input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.safetensors import ModelFolder, read_json

STAGES = {"Transformer", "Pooling", "Normalize"}
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}


def folder_parameters(folder: ModelFolder) -> Hyperparameters:
    """The folder's configuration, with ``pooling`` (mean, cls or last) and ``max_seq_length`` added where given.

    Raises ``UnsupportedModelError`` for a stage or pooling that mlxr lacks.
    """
    settings: dict[str, Any] = dict(folder.config)
    limits = folder.optional_json("sentence_bert_config.json")
    if "max_seq_length" in limits:
        settings["max_seq_length"] = limits["max_seq_length"]
    for stage, place in _stages(folder.path):
        if stage not in STAGES:
            known = ", ".join(sorted(STAGES))
            raise UnsupportedModelError(folder.path, f"embeds through a stage {stage!r}; mlxr knows {known}")
        if stage == "Pooling":
            settings["pooling"] = _pooling(folder.path / place / "config.json")
    return Hyperparameters(folder.path, settings)


def _stages(path: Path) -> list[tuple[str, str]]:
    """(class name, folder) of each stage; none where the folder is not sentence-transformers'."""
    modules = path / "modules.json"
    if not modules.exists():
        return []
    try:
        entries = msgspec.json.decode(modules.read_bytes(), type=list[dict[str, str | int]])
        return [(str(entry["type"]).rpartition(".")[2], str(entry["path"])) for entry in entries]
    except (msgspec.DecodeError, KeyError, UnicodeDecodeError) as error:
        raise ModelFileError(modules, f"is no list of stages: {error}") from None


def _pooling(path: Path) -> str:
    chosen = [key for key, value in read_json(path).items() if key.startswith("pooling_mode_") and value is True]
    if len(chosen) == 1 and chosen[0] in POOLINGS:
        return POOLINGS[chosen[0]]
    raise UnsupportedModelError(
        path, f"pools by {', '.join(chosen) or 'nothing'}; mlxr knows one of {', '.join(POOLINGS)}"
    )
