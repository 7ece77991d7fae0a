"""Models in several GGUF files, as ``llama-gguf-split`` makes them: ``NAME-00001-of-00003.gguf`` and its siblings.

Each part is a GGUF file with ``split.no``, ``split.count`` and ``split.tensors.count``; the first has all other
metadata, too. Naming any part, or the folder that holds them, means the model.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mlxr.models.errors import ModelFileError

SUFFIX = ".gguf"
CONFIG = "config.json"
"""What makes a folder one of safetensors, whatever else lies in it."""
MOST_PARTS = 4096
MOST_ENTRIES = 4096
"""Looked at in a folder."""

_PART = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.gguf", re.IGNORECASE)


def holds_gguf(path: Path) -> bool:
    """Whether ``path`` is to be read as GGUF: a file, or a folder of such files without a ``config.json``."""
    return not path.is_dir() or (not (path / CONFIG).exists() and bool(_gguf_files(path)))


def first_file(path: Path) -> Path:
    """Returns the file where reading begins: the first part of a model in several, the only model in a folder, else
    ``path``. Raises ``ModelFileError`` for a folder of several models or none."""
    if not path.is_dir():
        match = _PART.fullmatch(path.name)
        return path if match is None else path.with_name(_named(match, 1))
    files = _gguf_files(path)
    if not files:
        raise ModelFileError(path, f"has neither {CONFIG} beside *.safetensors nor a *{SUFFIX} file")
    models = sorted({first_file(path / name).name: name for name in files}.items())
    if len(models) > 1:
        shown = ", ".join(repr(name[:100]) for _, name in models[:4])
        raise ModelFileError(path, f"holds {len(models)} models ({shown}); give the path of one")
    return path / models[0][0]


def part_files(path: Path) -> list[Path]:
    """Returns the files of the model that ``path`` names, in order, by their names alone; those that are missing
    among them. A file that is no part is alone."""
    path = first_file(path)
    match = _PART.fullmatch(path.name)
    if match is None or not 1 <= int(match[3]) <= MOST_PARTS:
        return [path]
    return [path.with_name(_named(match, number)) for number in range(1, int(match[3]) + 1)]


def present_files(path: Path) -> list[Path]:
    """As ``part_files``. Raises ``ModelFileError`` naming the first that is missing."""
    files = part_files(path)
    for number, file in enumerate(files, 1):
        if len(files) > 1 and not file.exists():
            reason = f"is one of {len(files)} parts, and part {number}, {file.name!r}, is missing"
            there = next((other for other in files if other.exists()), file)
            raise ModelFileError(there, f"{reason}; put it into the same folder")
    return files


def part_number(path: Path) -> tuple[int, int] | None:
    """Returns which part of how many a file is by its name, counted from 1; None for one that is no part."""
    match = _PART.fullmatch(path.name)
    return None if match is None else (int(match[2]), int(match[3]))


def model_name(path: Path) -> str:
    """Returns what a file calls its model: its name without its ending, and without which part it is."""
    match = _PART.fullmatch(path.name)
    if match is not None:
        return match[1]
    return path.stem if path.suffix else path.name


def _named(match: re.Match[str], number: int) -> str:
    suffix = match.string[match.end(3) :]
    return f"{match[1]}-{number:05d}-of-{match[3]}{suffix}"


def _gguf_files(folder: Path) -> list[str]:
    names: list[str] = []
    with os.scandir(folder) as entries:
        for count, entry in enumerate(entries):
            if count >= MOST_ENTRIES:
                break
            if entry.name.lower().endswith(SUFFIX) and not entry.name.startswith("."):
                names.append(entry.name)
    return names
