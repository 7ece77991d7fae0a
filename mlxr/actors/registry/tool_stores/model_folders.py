"""Models in folders, whatever made them: GGUF files, in one or several parts, and folders of safetensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from mlxr.actors.registry.tool_stores.walk import Walk
from mlxr.models.formats.gguf.split import CONFIG, SUFFIX, first_file, model_name

_QUANTIZATION = re.compile(
    r"(?:^|[-._])((?:UD-)?(?:I?Q[0-9](?:_[A-Z0-9]+)*|TQ[0-9]_[0-9]|MXFP4(?:_MOE)?|NVFP4|BF16|F16|F32|FP16|FP32))$",
    re.IGNORECASE,
)
PROJECTOR = re.compile(r"(?:^|[-._/])mmproj[-._]", re.IGNORECASE)
"""In the names of files that read images for a model."""


class FileModel(NamedTuple):
    """``label``: what tells it from others of its folder, the quantization by its name say; '' for a folder that is
    the model. ``projector``: whether a file that reads images lies beside it."""

    path: Path
    label: str
    projector: bool = False


def models_in(walk: Walk, folder: Path, depth: int = 1) -> Iterator[FileModel]:
    """Yields the models in ``folder``, and in folders within it so many levels deep."""
    entries = walk.entries(folder)
    files = {entry.name for entry in entries if not entry.name.startswith(".") and walk.is_file(entry)}
    gguf = sorted(name for name in files if name.lower().endswith(SUFFIX))
    projector = any(PROJECTOR.search(name) for name in gguf)
    if CONFIG in files and any(name.endswith(".safetensors") for name in files):
        yield FileModel(folder, "", projector)
    firsts = sorted({first_file(folder / name).name: folder / name for name in reversed(gguf)}.items())
    for _, path in firsts:
        if not PROJECTOR.search(path.name):
            yield FileModel(path, label_of(path), projector)
    if depth > 1:
        for entry in entries:
            if not entry.name.startswith(".") and walk.is_folder(entry):
                yield from models_in(walk, Path(entry.path), depth - 1)


def label_of(path: Path) -> str:
    """Returns the quantization that a file's name ends with, in capitals, else the name without its ending."""
    stem = model_name(path)
    match = _QUANTIZATION.search(stem)
    return match[1].upper() if match else stem
