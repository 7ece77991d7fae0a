"""Which files of a folder are the model's: those that its index names, or all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlxr.models.errors import AGAIN, ModelFileError, UnsupportedModelError
from mlxr.models.formats.pickles import REFUSED, pickle_in
from mlxr.models.jsonfile import read_json

INDEX = "model.safetensors.index.json"
"""Of a model whose tensors are spread over files."""
FETCH = "fetch it into the folder"

_PART = re.compile(r"(.+)-([0-9]{5})-of-([0-9]{5})\.safetensors")
MOST_PARTS = 4096


def weight_files(folder: Path) -> tuple[list[Path], Mapping[str, str]]:
    """Returns the files with weights, and in which of them an index says that each tensor is (empty without one).

    Other files beside those of an index may hold the same weights in another form. Raises ``ModelFileError`` for an
    index that names no files of the folder and for parts that are missing, ``UnsupportedModelError`` for a folder with
    pickles alone.
    """
    found = {path.name: path for path in folder.glob("*.safetensors")}
    index = folder / INDEX
    if index.exists():
        return _indexed(index, found)
    if not found:
        if pickle := pickle_in(folder):
            raise UnsupportedModelError(folder / pickle, f"is {REFUSED}")
        raise ModelFileError(folder, f"has no *.safetensors file; {FETCH}")
    _require_parts(folder, found)
    return sorted(found.values()), {}


def require_tensors(folder: Path, places: Mapping[str, str], tensors: Mapping[str, object]) -> None:
    """Raises ``ModelFileError`` where an index names a tensor that no file has."""
    for name, place in places.items():
        if name not in tensors:
            reason = f"names the tensor {name[:120]!r} in {place[:100]!r}, and no file of the folder holds it"
            raise ModelFileError(folder / INDEX, f"{reason}; fetch index and files of one version")


def _indexed(index: Path, found: Mapping[str, Path]) -> tuple[list[Path], Mapping[str, str]]:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not _texts(places.values()):
        raise ModelFileError(index, f"has no weight_map from tensors to files; {AGAIN}")
    names = sorted(set(places.values()))
    missing = next((name for name in names if name not in found), None)
    if missing is not None:
        raise ModelFileError(index, f"names the file {missing[:100]!r}, which the folder does not have; {FETCH}")
    return [found[name] for name in names], places


def _texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _require_parts(folder: Path, found: Mapping[str, Path]) -> None:
    """Raises ``ModelFileError`` where files are numbered and one is missing: the index may be, too."""
    for name in sorted(found):
        match = _PART.fullmatch(name)
        if match is None or int(match[3]) > MOST_PARTS:
            continue
        for number in range(1, int(match[3]) + 1):
            sibling = f"{match[1]}-{number:05d}-of-{match[3]}.safetensors"
            if sibling not in found:
                raise ModelFileError(folder, f"has {name!r} without {sibling!r}; {FETCH}")
