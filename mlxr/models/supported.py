"""Which models mlxr runs, as far as their headers tell: asked before a model's bytes are kept, and without MLX."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from mlxr.models.errors import UnsupportedModelError
from mlxr.models.gguf import GGUFFile
from mlxr.models.tokenizers.load import KINDS
from mlxr.runtime.regular import read_regular

GGUF_ARCHITECTURES = frozenset({"gemma3", "llama"})
"""By ``general.architecture``; those of ``mlxr.models.loading``."""

FOLDER_ARCHITECTURES = frozenset({"bert"})
"""By ``model_type``."""

_MOST_JSON = 16 << 20


def check_supported(path: Path) -> None:
    """Raise ``UnsupportedModelError`` for a GGUF file or model folder that no backend can run, and what opening it
    raises: ``ModelFileError``, ``OSError``."""
    if path.is_dir():
        _check_folder(path)
    else:
        _check_gguf(path, GGUFFile.open(path).metadata)


def _check_gguf(path: Path, metadata: Mapping[str, Any]) -> None:
    _check_architecture(path, metadata.get("general.architecture"), GGUF_ARCHITECTURES)
    kind, tokens = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.tokens")
    if kind is None or tokens is None:
        raise UnsupportedModelError(path, "has no tokenizer (tokenizer.ggml.model): it was converted without it")
    if kind not in KINDS:
        raise UnsupportedModelError(path, f"has the tokenizer {str(kind)[:40]!r}; mlxr knows {', '.join(KINDS)}")


def _check_folder(path: Path) -> None:
    try:
        config = msgspec.json.decode(read_regular(path / "config.json", _MOST_JSON), type=dict[str, Any])
    except msgspec.DecodeError:
        config = {}
    _check_architecture(path, config.get("model_type"), FOLDER_ARCHITECTURES)
    if not (path / "tokenizer.json").is_file():
        raise UnsupportedModelError(path, "has no tokenizer: tokenizer.json is missing")


def _check_architecture(path: Path, given: object, known: frozenset[str]) -> None:
    if given not in known:
        names = ", ".join(sorted(known))
        raise UnsupportedModelError(
            path, f"is of the architecture {str(given)[:40]!r}; in this format mlxr runs {names}"
        )
