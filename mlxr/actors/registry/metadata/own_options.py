"""Parameters that a model's own files ask for: ``general.sampling.*`` of a GGUF, ``generation_config.json`` of a
folder.

Source of the keys: llama.cpp's ``gguf-py/gguf/constants.py``, transformers' ``GenerationConfig``. What is out of range
is left out: files are no reason to refuse a model that runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlxr.actors.registry.modelfile.parameters import checked
from mlxr.models.jsonfile import optional_json

SAMPLING = {
    "general.sampling.temp": "temperature",
    "general.sampling.top_k": "top_k",
    "general.sampling.top_p": "top_p",
    "general.sampling.min_p": "min_p",
    "general.sampling.penalty_last_n": "repeat_last_n",
    "general.sampling.penalty_repeat": "repeat_penalty",
}
GENERATION = {
    "temperature": "temperature",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical_p",
    "repetition_penalty": "repeat_penalty",
}


def gguf_options(metadata: Mapping[str, Any]) -> dict[str, float | int]:
    return _options(metadata, SAMPLING)


def folder_options(path: Path) -> dict[str, float | int]:
    """Raises ``ModelFileError`` for a file that is no JSON object."""
    return _options(optional_json(path / "generation_config.json"), GENERATION)


def _options(values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    for key, name in names.items():
        value = values.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                found[name] = checked(name, value)
            except ValueError:
                continue
    return found
