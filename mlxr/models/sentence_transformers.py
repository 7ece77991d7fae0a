"""What sentence-transformers keeps beside a model: how hidden states become an embedding, and how long an input may be.

``modules.json`` lists the stages, each stage's folder has its ``config.json``; ``sentence_bert_config.json`` has the
longest input.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.safetensors.folder import ModelFolder
from mlxr.models.hyperparameters import Hyperparameters
from mlxr.models.jsonfile import read_json, read_value

STAGES = {"Transformer", "Pooling", "Normalize"}
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}


PROMPT_FILE = "config_sentence_transformers.json"
LIMITS_FILE = "sentence_bert_config.json"


def folder_settings(folder: ModelFolder) -> dict[str, Any]:
    """The folder's configuration, with ``pooling`` (mean, cls or last) and ``max_seq_length`` added where given.

    Raises ``UnsupportedModelError`` for a stage, pooling or preparation of texts that mlxr lacks.
    """
    settings = dict(folder.config)
    limits = folder.optional_json(LIMITS_FILE)
    if limits.get("max_seq_length") is not None:
        settings["max_seq_length"] = Hyperparameters(folder.path / LIMITS_FILE, limits).positive("max_seq_length")
    _require_plain_texts(folder, limits)
    for stage, place in _stages(folder.path):
        if stage not in STAGES:
            known = ", ".join(sorted(STAGES))
            raise UnsupportedModelError(folder.path, f"embeds through a stage {stage[:60]!r}; mlxr knows {known}")
        if stage == "Pooling":
            settings["pooling"] = _pooling(folder.path / place / "config.json")
    return settings


def _require_plain_texts(folder: ModelFolder, limits: dict[str, Any]) -> None:
    """Refuse folders whose texts get something done to them that mlxr does not do."""
    prompt = folder.optional_json(PROMPT_FILE).get("default_prompt_name")
    if prompt is not None:
        reason = f"puts the prompt {str(prompt)[:60]!r} before every text, which mlxr does not"
        raise UnsupportedModelError(folder.path / PROMPT_FILE, reason)
    if limits.get("do_lower_case") and not folder.optional_json("tokenizer_config.json").get("do_lower_case"):
        raise UnsupportedModelError(folder.path / LIMITS_FILE, "lowers the case of texts, which its tokenizer does not")


def _stages(path: Path) -> list[tuple[str, str]]:
    """(class name, folder) of each stage; none where the folder is not sentence-transformers'."""
    modules = path / "modules.json"
    if not modules.exists():
        return []
    entries = read_value(modules)
    if not isinstance(entries, list):
        raise ModelFileError(modules, "is no list of stages")
    return [_stage(modules, entry) for entry in entries]


def _stage(modules: Path, entry: Any) -> tuple[str, str]:
    match entry:
        case {"type": str(kind), "path": str(place)}:
            parts = PurePosixPath(place)
            if "\0" not in place and not parts.is_absolute() and ".." not in parts.parts:
                return kind.rpartition(".")[2], place
    raise ModelFileError(modules, "is no list of stages: each has a type, and a path within the folder")


def _pooling(path: Path) -> str:
    chosen = [key for key, value in read_json(path).items() if key.startswith("pooling_mode_") and value is True]
    if len(chosen) == 1 and chosen[0] in POOLINGS:
        return POOLINGS[chosen[0]]
    named = ", ".join(chosen)[:200] or "nothing"
    raise UnsupportedModelError(path, f"pools by {named}; mlxr knows one of {', '.join(POOLINGS)}")
