"""Which files are an adapter's, and opening them."""

from __future__ import annotations

from pathlib import Path

from mlxr.models.adapters import gguf, mlx, peft
from mlxr.models.adapters.file import AdapterFile
from mlxr.models.adapters.file_names import CONFIG, WEIGHTS
from mlxr.models.formats.gguf.file import GGUFFile
from mlxr.models.jsonfile import read_json


def is_adapter(path: Path) -> bool:
    """Tells whether the file or folder is an adapter rather than a model. Raises ``ModelFileError`` for a file that is
    neither."""
    if not path.is_dir():
        return GGUFFile.type_of(path) == gguf.TYPE
    return (path / CONFIG).exists() and any((path / name).exists() for name in WEIGHTS)


def open_adapter(path: Path) -> AdapterFile:
    """Opens a GGUF file, or a folder as PEFT or mlx-lm save them.

    Raises ``ModelFileError`` for what is malformed or missing, ``UnsupportedModelError`` for what mlxr can't apply.
    """
    if not path.is_dir():
        return gguf.open_gguf(path)
    if "peft_type" in read_json(path / CONFIG):
        return peft.open_peft(path)
    return mlx.open_mlx(path)
